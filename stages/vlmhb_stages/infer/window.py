"""How many requests may be in flight at one place: a fixed number, or one that is found while asking. Pure."""

from __future__ import annotations

from typing import Protocol

_BACK_OFF = 0.5  # of the window after a refusal for load
_EASE = 0.8  # of the window when answers become slow
_SLOW = 2.0  # times the quickest answer known
_SLOW_FLOOR_S = 0.1  # and so much slower at least: short answers vary without a reason
_GROUP = 8  # answers, of which even the quickest has to be slow
_MEMORY = 64  # answers after which half of what is known of the quickest one is forgotten


class Window(Protocol):
    """A request carries the number of the round that it was sent in: several refusals of one round are one
    sign."""

    @property
    def limit(self) -> int:
        """Most requests in flight."""

    @property
    def round(self) -> int:
        """To be told again when the request has ended."""

    def answered(self, *, round: int, in_flight: int, delay_s: float) -> None:
        """`in_flight`: beside this request, itself included. `delay_s`: TTFT, else latency."""

    def refused(self, *, round: int) -> None:
        """For load: 429 or 503."""


class FixedWindow:
    """For servers of our own, which queue by themselves, and wherever the user has said so."""

    round = 0

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def answered(self, *, round: int, in_flight: int, delay_s: float) -> None:
        """A fixed window learns nothing."""

    def refused(self, *, round: int) -> None:
        """Nor from this."""


class AdaptiveWindow:
    """Additive increase, multiplicative decrease, as in TCP (RFC 5681): doubles per round trip from 1 until the
    first sign of load (slow start), then grows by 1 per round trip; never above `ceiling`."""

    def __init__(self, ceiling: int) -> None:
        self.round = 0
        self._ceiling = float(ceiling)
        self._limit = 1.0
        self._threshold = float(ceiling)
        self._quickest = _Quickest()
        self._group: list[float] = []

    @property
    def limit(self) -> int:
        return int(self._limit)

    def answered(self, *, round: int, in_flight: int, delay_s: float) -> None:
        self._quickest.note(delay_s)
        if in_flight >= self.limit:  # else nothing shows that more would do
            step = 1.0 if self._limit < self._threshold else 1.0 / self._limit
            self._limit = min(self._ceiling, self._limit + step)
        if round == self.round:
            self._group.append(delay_s)
            if len(self._group) == _GROUP:
                self._judge()

    def refused(self, *, round: int) -> None:
        if round == self.round:
            self._shrink(_BACK_OFF)

    def _judge(self) -> None:
        fastest, known = min(self._group), self._quickest.value
        self._group.clear()
        if fastest > max(known * _SLOW, known + _SLOW_FLOOR_S):
            self._shrink(_EASE)

    def _shrink(self, factor: float) -> None:
        self._limit = self._threshold = max(1.0, self._limit * factor)
        self._group.clear()
        self.round += 1


class _Quickest:
    """The least of the last `_MEMORY` to twice as many values."""

    def __init__(self) -> None:
        self._before = self._now = float("inf")
        self._noted = 0

    @property
    def value(self) -> float:
        return min(self._before, self._now)

    def note(self, value: float) -> None:
        if self._noted == _MEMORY:
            self._before, self._now, self._noted = self._now, float("inf"), 0
        self._now = min(self._now, value)
        self._noted += 1
