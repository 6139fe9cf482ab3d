"""Character difference of a reference and an answer, cut to what a reader can take in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

WINDOW = 1200  # characters shown of a long text
LEAD = 120  # of them before the first difference
SHORT = 2  # equal runs up to this length between two differences are noise


@dataclass(frozen=True, kw_only=True)
class Segment:
    text: str
    changed: bool


@dataclass(frozen=True, kw_only=True)
class Side:
    """`before` and `after`: characters left out."""

    segments: tuple[Segment, ...]
    before: int = 0
    after: int = 0


@dataclass(frozen=True, kw_only=True)
class Diff:
    reference: Side
    answer: Side


def compare(reference: str, answer: str) -> Diff:
    """A minimal edit script (Levenshtein 1966) of the part around the first difference."""
    start = _start(reference, answer)
    left, right = reference[start : start + WINDOW], answer[start : start + WINDOW]
    runs = list(_runs(left, right))
    return Diff(
        reference=Side(
            segments=_merge((left[run.left], run.changed) for run in runs),
            before=start,
            after=max(len(reference) - start - WINDOW, 0),
        ),
        answer=Side(
            segments=_merge((right[run.right], run.changed) for run in runs),
            before=start,
            after=max(len(answer) - start - WINDOW, 0),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Run:
    left: slice
    right: slice
    changed: bool


def _start(reference: str, answer: str) -> int:
    if max(len(reference), len(answer)) <= WINDOW:
        return 0
    pairs = enumerate(zip(reference, answer, strict=False))
    first = next((index for index, (left, right) in pairs if left != right), min(len(reference), len(answer)))
    return max(first - LEAD, 0)


def _runs(left: str, right: str) -> Iterator[_Run]:
    codes = list(Levenshtein.opcodes(left, right))
    for index, code in enumerate(codes):
        inside = 0 < index < len(codes) - 1
        noise = inside and code.src_end - code.src_start <= SHORT
        yield _Run(
            left=slice(code.src_start, code.src_end),
            right=slice(code.dest_start, code.dest_end),
            changed=code.tag != "equal" or noise,
        )


def _merge(pieces: Iterator[tuple[str, bool]]) -> tuple[Segment, ...]:
    merged: list[Segment] = []
    for text, changed in pieces:
        if merged and merged[-1].changed == changed:
            merged[-1] = Segment(text=merged[-1].text + text, changed=changed)
        elif text:
            merged.append(Segment(text=text, changed=changed))
    return tuple(segment for segment in merged if segment.text)
