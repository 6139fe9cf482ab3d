"""The samples with the worst scores, found in one pass with a heap."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from vlmhb_stages.contracts import MetricValue, Score
from vlmhb_stages.report.model import ANSWERED


def full_marks(metric: MetricValue) -> float:
    """The best score a sample can get: 0 where lower is better, else 1 or, on a percent scale, 100."""
    if metric.direction == "lower":
        return 0.0
    seen = [value for value in (metric.value, metric.value_answered, metric.ci_high) if value is not None]
    return 100.0 if max(seen, default=0.0) > 1.5 else 1.0


@dataclass(frozen=True, kw_only=True)
class Scored:
    score: float
    record: Score


class WorstScores:
    """Keeps the `size` worst answered samples below full marks; equal scores in the order of the file."""

    def __init__(self, metric: MetricValue, *, size: int = 10) -> None:
        self._metric, self._size = metric, size
        self._best = full_marks(metric)
        self._sign = 1.0 if metric.direction == "lower" else -1.0
        self._heap: list[tuple[float, int, Scored]] = []
        self._order = 0

    def add(self, record: Score) -> None:
        score = record.scores.get(self._metric.name)
        if score is None or record.status not in ANSWERED:
            return
        badness = self._sign * (score - self._best)
        if badness <= 0:
            return
        self._order += 1
        heapq.heappush(self._heap, (badness, -self._order, Scored(score=score, record=record)))
        if len(self._heap) > self._size:
            heapq.heappop(self._heap)

    def found(self) -> tuple[Scored, ...]:
        """Worst first."""
        ordered = sorted(self._heap, key=lambda entry: entry[:2], reverse=True)
        return tuple(scored for _, _, scored in ordered)
