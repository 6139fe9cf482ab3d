"""Gathers the times and token counts of one evaluation's records, in a few bytes for each."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

from vlmhb_stages.contracts import Prediction
from vlmhb_stages.report.model import ANSWERED
from vlmhb_stages.sketch import Sketch
from vlmhb_stages.specs import Slo


def _doubles() -> array[float]:
    return array("d")


@dataclass(kw_only=True)
class Timings:
    """Times of answered records. Imported ones were measured in another run: they are only counted.

    `failed` are records of requests that this run sent and that have no answer. `kept` are measured ones that keep the
    limits of `slo`, `undecided` those of which a time that it limits is not known."""

    slo: Slo = field(default_factory=Slo)
    queue: array[float] = field(default_factory=_doubles)
    latency: array[float] = field(default_factory=_doubles)
    ttft: array[float] = field(default_factory=_doubles)
    tpot: array[float] = field(default_factory=_doubles)
    itl: Sketch = field(default_factory=Sketch)
    output_tokens: int = 0
    uncounted: int = 0  # measured answers without a count of their output tokens
    tokens_from: Counter[str] = field(default_factory=Counter)
    adjusted: Counter[str] = field(default_factory=Counter)
    measured: int = 0
    stand_ins: int = 0  # of them, answers of a fallback
    imported: int = 0
    failed: int = 0
    kept: int = 0
    undecided: int = 0
    bad_itl: int = 0

    def add(self, record: Prediction) -> None:
        if record.imported_from is not None:
            self.imported += record.status in ANSWERED
            return
        if record.attempts > 0 and record.queue_s is not None:
            self.queue.append(record.queue_s)
        if record.status not in ANSWERED:
            self.failed += record.attempts > 0
            return
        self.measured += 1
        self.stand_ins += record.fallback is not None
        self.adjusted.update(record.adjusted)
        self._count_tokens(record)
        self._time(record)
        self._judge(record)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was sent differently from what was asked for, and what cannot be read."""
        changed = [
            f"{number} of {self.measured} answers: {change}"
            for change, number in sorted(self.adjusted.items())
        ]
        unread = [f"{self.bad_itl} records have unreadable gaps between tokens"] if self.bad_itl else []
        return (*changed, *unread)

    def _count_tokens(self, record: Prediction) -> None:
        self.tokens_from[record.tokens_from or "nobody"] += 1
        if record.output_tokens is None:
            self.uncounted += 1
        else:
            self.output_tokens += record.output_tokens

    def _time(self, record: Prediction) -> None:
        for values, value in (
            (self.latency, record.latency_s),
            (self.ttft, record.ttft_s),
            (self.tpot, record.tpot_s),
        ):
            if value is not None:
                values.append(value)
        try:
            self.itl.merge(Sketch.from_dict(record.itl or {}))
        except ValueError:
            self.bad_itl += 1

    def _judge(self, record: Prediction) -> None:
        """An answer of one token has no time between tokens, and keeps any limit on it."""
        one_token = record.ttft_s is not None and record.output_tokens in (0, 1)
        pairs = (
            (self.slo.ttft_s, record.ttft_s),
            (self.slo.tpot_s, 0.0 if one_token else record.tpot_s),
            (self.slo.latency_s, record.latency_s),
        )
        limited = [(limit, time) for limit, time in pairs if limit is not None]
        if any(time is None for _, time in limited):
            self.undecided += 1
        elif all(time is not None and time <= limit for limit, time in limited):
            self.kept += 1
