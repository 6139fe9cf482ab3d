"""Reads `samples.jsonl` one sample at a time, in full or only as far as its id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from vlmhb_stages.contracts import Sample

_BLOCK = 1 << 20
_BATCH = 256  # lines: few enough to stay in the processor's cache
_HEAD = b'{"sample_id":"'


class BadSamples(Exception):
    """`samples.jsonl` breaks the contract; the message names the line."""


@dataclass(slots=True)
class SampleKeys:
    """Some samples in file order: their ids in UTF-8, and where their lines begin."""

    keys: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)


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


def read_keys(path: Path) -> Iterator[SampleKeys]:
    """In file order. A line that does not begin as prepare writes it is parsed in full. Raises `BadSamples`."""
    offset, number, begin = 0, 0, len(_HEAD)
    with path.open("rb", buffering=_BLOCK) as file:
        while lines := list(islice(file, _BATCH)):
            batch = SampleKeys()
            for content in lines:
                number += 1
                key = content[begin : content.find(b'"', begin)]
                if not content.startswith(_HEAD) or b"\\" in key:
                    key = parsed(content, number=number).sample_id.encode()
                batch.keys.append(key)
                batch.offsets.append(offset)
                offset += len(content)
            yield batch


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
