"""The one error of this stage: input that cannot be evaluated, said in a line with a hint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

_LIMIT = 5  # ids that a line has room for


class EvaluateError(Exception):
    """Becomes a `fatal` event with code VHB501 and exit code 2."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message, self.hint = message, hint
        super().__init__(message)


@dataclass(kw_only=True)
class Sightings:
    """Counts ids and keeps the first few: a million odd samples cost a line, not a million names."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, sample_id: str) -> None:
        self.count += 1
        if len(self.first) < _LIMIT:
            self.first.append(sample_id)

    def __bool__(self) -> bool:
        return self.count > 0

    def __str__(self) -> str:
        """`3 (a, b, c)`: how many, and which they are as far as a line has room."""
        more = ", ..." if self.count > len(self.first) else ""
        return f"{self.count} ({', '.join(self.first)}{more})"


def some(ids: Iterable[str]) -> Sightings:
    seen = Sightings()
    for sample_id in ids:
        seen.add(sample_id)
    return seen
