"""Reads `samples.jsonl` one sample at a time, in full or only as far as its id."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from vlmhb_stages.contracts import Sample

_BLOCK = 1 << 20
_HEAD = re.compile(rb'\{"sample_id": ?"([^"\\\x00-\x1f]*)"')


class BadSamples(Exception):
    """`samples.jsonl` breaks the contract; the message names the line."""


class SampleKey(NamedTuple):
    """A sample's id in UTF-8, and where its line begins."""

    key: bytes
    offset: int


@dataclass(frozen=True, kw_only=True)
class SamplesFile:
    """`count` of lines."""

    count: int
    sha256: str


def read_samples(path: Path) -> Iterator[Sample]:
    """In file order. Raises `BadSamples`."""
    with path.open("rb") as file:
        for number, content in enumerate(file, start=1):
            yield parsed(content, number=number)


def read_keys(path: Path) -> Iterator[SampleKey]:
    """In file order. A line that does not begin as prepare writes it is parsed in full. Raises `BadSamples`."""
    offset, head_of, make = 0, _HEAD.match, SampleKey._make
    with path.open("rb", buffering=_BLOCK) as file:
        for number, content in enumerate(file, start=1):
            head = head_of(content)
            key = head[1] if head is not None else parsed(content, number=number).sample_id.encode()
            yield make((key, offset))
            offset += len(content)


def survey(path: Path) -> SamplesFile:
    """How many lines there are, and the file's hash. Raises `BadSamples` when there is no such file."""
    digest, count, last = hashlib.sha256(), 0, b"\n"
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                count += block.count(b"\n")
                last = block[-1:]
    except FileNotFoundError as error:
        raise BadSamples(f"{path} is missing") from error
    return SamplesFile(count=count + (last != b"\n"), sha256=digest.hexdigest())


def parsed(content: bytes, *, number: int) -> Sample:
    """Raises `BadSamples`, which names the line."""
    try:
        return Sample.model_validate_json(content)
    except ValidationError as error:
        raise BadSamples(f"samples.jsonl, line {number}: {error.errors()[0]['msg']}") from error
