"""Reads `samples.jsonl` one sample at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from vlmhb_stages.contracts import Sample


class BadSamples(Exception):
    """`samples.jsonl` breaks the contract; the message names the line."""


def read_samples(path: Path) -> Iterator[Sample]:
    """In file order. Raises `BadSamples`."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield Sample.model_validate_json(line)
            except ValidationError as error:
                raise BadSamples(f"{path.name}, line {number}: {error.errors()[0]['msg']}") from error


def count_samples(path: Path) -> int:
    """How many lines there are. Raises `BadSamples` when there is no such file."""
    try:
        with path.open("rb") as file:
            return sum(1 for _ in file)
    except FileNotFoundError as error:
        raise BadSamples(f"{path} is missing") from error
