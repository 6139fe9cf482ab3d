"""When something was going on: many overlapping stretches of time become few spans."""

from __future__ import annotations

from collections.abc import Iterable

PAUSE_S = 5.0  # a shorter pause (a back-off, the next page being read) belongs to the work


class Spans:
    """Stretches of time in seconds since the epoch, merged where they overlap or lie within `PAUSE_S`."""

    def __init__(self, earlier: Iterable[tuple[float, float]] = ()) -> None:
        self._spans: list[list[float]] = []
        for start, end in sorted(earlier):
            self.add(start, end)

    def add(self, start: float, end: float) -> None:
        """Stretches come in the order of their ends or of their starts, roughly: late ones are sorted in."""
        spans = self._spans
        at = len(spans)
        while at > 0 and spans[at - 1][0] > start:
            at -= 1
        spans.insert(at, [start, max(start, end)])
        self._join(max(at - 1, 0))

    def _join(self, at: int) -> None:
        spans = self._spans
        while at + 1 < len(spans) and spans[at + 1][0] <= spans[at][1] + PAUSE_S:
            spans[at][1] = max(spans[at][1], spans[at + 1][1])
            del spans[at + 1]
        if at + 2 < len(spans) and spans[at + 2][0] <= spans[at + 1][1] + PAUSE_S:
            self._join(at + 1)

    @property
    def spans(self) -> tuple[tuple[float, float], ...]:
        return tuple((start, end) for start, end in self._spans)

    @property
    def seconds(self) -> float:
        return sum(end - start for start, end in self._spans)
