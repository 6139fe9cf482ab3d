"""Rate and time left of one stage, from the counts that it reports."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from vlmhb.progress.view import Counted

WINDOW_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Reading:
    counted: Counted
    rate: float | None  # samples per second
    eta_s: float | None

    @property
    def finished(self) -> bool:
        return 0 < self.counted.total <= self.counted.done


class Meter:
    """The rate of about the last minute. What a resumed stage starts with counts as done, not as speed."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()  # time, asked (done, where that is not told)

    def read(self, counted: Counted, *, now: float) -> Reading:
        done = counted.done if counted.asked is None else counted.asked
        if self._seen and done < self._seen[-1][1]:  # the stage was started again
            self._seen.clear()
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] <= now - WINDOW_S:
            self._seen.popleft()
        rate = self._rate()
        eta = (counted.total - counted.done) / rate if rate and counted.total > 0 else None
        return Reading(counted=counted, rate=rate, eta_s=eta)

    def _rate(self) -> float | None:
        (start, before), (end, after) = self._seen[0], self._seen[-1]
        if end <= start or after == before:
            return None
        return (after - before) / (end - start)


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s`, `2 h 07 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def speed(rate: float) -> str:
    """Samples per second, or per minute where that reads better."""
    return f"{rate:.1f}/s" if rate >= 1 else f"{rate * 60:.1f}/min"


def troubles(counted: Counted) -> list[str]:
    """`2 failed`, `1 skipped`, `3 retries`: those that there are."""
    named = {"failed": counted.error, "skipped": counted.skipped, "retries": counted.retries}
    return [f"{count} {name}" for name, count in named.items() if count]


def money(cost: float) -> str:
    """In the price table's currency, which the plan has named."""
    return f"cost {cost:.4f}" if cost < 1 else f"cost {cost:.2f}"
