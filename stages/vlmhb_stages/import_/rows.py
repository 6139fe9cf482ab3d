"""What a reader of a foreign file yields: one row per recorded answer, as text and states, nothing guessed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vlmhb_stages.contracts import ErrorKind, SampleError, Status

MOST_TOKENS = 10**9  # of one request: more is no count


class BadSource(Exception):
    """The file cannot be read as this format; the message says where and why."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one request: a text, or a state with its reason."""

    status: Status = "ok"
    text: str | None = None
    error: SampleError | None = None
    finish_reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """`key`: the tool's id of the sample. `prompt`: what the tool says it asked. Times in seconds.

    `metrics`: values that the tool gave this answer. `origin`: the tool that asked the model, where the row itself says
    it."""

    key: str
    outcome: Outcome
    prompt: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_s: float | None = None
    ttft_s: float | None = None
    tpot_s: float | None = None
    origin: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file, read. `first`: the number that the tool gives the first sample, where keys count samples;
    None: keys are the dataset's own ids."""

    format: str
    rows: tuple[Row, ...]
    tool: str = ""
    first: int | None = None
    warnings: tuple[str, ...] = ()


def answered(text: str, *, finish_reason: str | None = None) -> Outcome:
    """A whole answer, however short."""
    return Outcome(text=text, finish_reason=finish_reason)


def truncated(text: str, *, finish_reason: str) -> Outcome:
    """An answer whose end is missing."""
    return Outcome(status="truncated", text=text, finish_reason=finish_reason)


def failed(message: str, *, status: Status = "error", kind: ErrorKind = "missing_answer") -> Outcome:
    """No answer. `missing_answer`, because asking the file again cannot mend what went wrong elsewhere."""
    return Outcome(status=status, error=SampleError(kind=kind, message=message.strip()[:2000]))


def number(value: Any) -> float | None:
    """`value` where it is a finite number (a verdict counts as 0 or 1), else None."""
    if not isinstance(value, (bool, int, float)):
        return None
    return float(value) if abs(value) <= sys.float_info.max else None  # a whole number of JSON may be larger


def count(value: Any) -> int | None:
    """`value` where it is a number of tokens, else None."""
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
        else None
    )


def seconds(value: Any) -> float | None:
    """`value` where it is a duration, else None."""
    found = None if isinstance(value, bool) else number(value)
    return found if found is not None and found >= 0 else None


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The numeric ones."""
    found = {str(name): number(value) for name, value in values.items()}
    return {name: value for name, value in found.items() if value is not None}


def field_of(record: Any, path: str) -> Any:
    """The value at `a.b.c` in nested objects; None where there is none."""
    for name in path.split("."):
        record = record.get(name) if isinstance(record, Mapping) else None
    return record


def key_of(record: Mapping[str, Any], *, own: str, asked: str | None, place: str) -> str:
    """The sample's id: the field that was asked for, else the format's own. Raises `BadSource`."""
    value = field_of(record, asked or own)
    if value is None or isinstance(value, (dict, list)):
        raise BadSource(
            f"{place}: no {asked or own}", hint="name the field that holds the sample's id with --id-key"
        )
    return str(value)
