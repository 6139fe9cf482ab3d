"""One pass over the final predictions: counts, failures by kind, timings, cost, and the texts asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from vlmhb_stages.contracts import Counts, Prediction
from vlmhb_stages.report.costs import CostTally
from vlmhb_stages.report.model import ANSWERED, FailureExample, FailureGroup
from vlmhb_stages.report.reliability import ReliabilityTally
from vlmhb_stages.report.timings import Timings

EXAMPLES = 3
MESSAGE_LENGTH = 500
NOT_RECORDED = "not_recorded"


@dataclass(kw_only=True)
class Tally:
    """`wanted`: samples whose records are kept for display."""

    wanted: frozenset[str]
    kept: dict[str, Prediction] = field(default_factory=dict)
    timings: Timings = field(default_factory=Timings)
    ok: int = 0
    error: int = 0
    skipped: int = 0
    costs: CostTally = field(default_factory=CostTally)
    reliability: ReliabilityTally = field(default_factory=ReliabilityTally)
    _counts: dict[str, int] = field(default_factory=dict)
    _examples: dict[str, list[FailureExample]] = field(default_factory=dict)

    def add(self, record: Prediction) -> None:
        self.timings.add(record)
        self.costs.add(record)
        self.reliability.add(record)
        if record.sample_id in self.wanted:
            self.kept[record.sample_id] = record
        if record.status == "skipped_budget":
            self.skipped += 1
        elif record.status in ANSWERED:
            self.ok += 1
        else:
            self.error += 1
        if record.status != "ok":
            self._fail(record)

    def _fail(self, record: Prediction) -> None:
        kind = record.error.kind if record.error is not None else record.status
        self._counts[kind] = self._counts.get(kind, 0) + 1
        examples = self._examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            message = record.error.message if record.error is not None else _explain(record)
            examples.append(FailureExample(sample_id=record.sample_id, message=message[:MESSAGE_LENGTH]))

    @property
    def recorded(self) -> int:
        return self.ok + self.error + self.skipped

    def counts(self, *, planned: int) -> Counts:
        return Counts(planned=planned, ok=self.ok, error=self.error, skipped=self.skipped)

    def failures(self, *, planned: int) -> tuple[FailureGroup, ...]:
        """Most frequent first. Planned samples without any record are a kind of their own."""
        counts = dict(self._counts)
        if planned > self.recorded:
            counts[NOT_RECORDED] = planned - self.recorded
        return tuple(
            FailureGroup(kind=kind, count=count, examples=tuple(self._examples.get(kind, ())))
            for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        )


def _explain(record: Prediction) -> str:
    if record.status == "truncated":
        return f"the answer was cut at {record.output_tokens or '?'} output tokens; it is scored as it is"
    return f"finish reason: {record.finish_reason or 'not told'}"
