"""Metrics of tests, named by dotted path: each shows one thing that the stage gives to a metric."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vlmhb_benchmarks.metrics.base import (
    Context,
    MeanMetric,
    Metric,
    MetricInfo,
    SampleScore,
    mean_score,
)


def info(name: str, *, heavy: bool = False) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="of a test",
        source="a test",
        empty_rule="none",
        heavy=heavy,
    )


@dataclass(frozen=True, kw_only=True)
class Asked(MeanMetric):
    """1 where the context says exactly what the reference says."""

    seen: str = ""

    def in_context(self, context: Context) -> Metric:
        schema = "|".join(sorted(context.response_schema or {}))
        metadata = ",".join(f"{key}={value}" for key, value in sorted(context.metadata.items()))
        return replace(
            self, seen=f"{context.question} [{','.join(context.choices)}] {schema} {metadata}".strip()
        )

    def compare(self, prediction: str, reference: str) -> float:
        return float(self.seen == reference)


@dataclass(frozen=True, kw_only=True)
class Rare(MeanMetric):
    """1 where the answer is a reference that no other sample has."""

    counts: dict[str, int] = field(default_factory=dict)

    def fit(self, references: Iterable[Sequence[str]]) -> Metric:
        counts: dict[str, int] = {}
        for texts in references:
            for text in texts:
                counts[text] = counts.get(text, 0) + 1
        return replace(self, counts=counts)

    def compare(self, prediction: str, reference: str) -> float:
        return float(prediction == reference and self.counts[reference] == 1)


@dataclass(frozen=True, kw_only=True)
class Heavy(MeanMetric):
    """The process that scores it is part of the score's reference, so that a test can see where it ran."""

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        if prediction == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return mean_score(float(prediction == references[0]), matched_reference=str(os.getpid()))


@dataclass(frozen=True, kw_only=True)
class HeavyFields(MeanMetric):
    """One field, whose score is that of the sample."""

    def compare(self, prediction: str, reference: str) -> float:
        return float(prediction == reference)

    def by_field(self, prediction: str | None, references: Sequence[str]) -> Mapping[str, SampleScore]:
        score = self.missing(references) if prediction is None else self.score(prediction, references)
        return {"letter": score}


ASKED = Asked(info=info("asked"))
RARE = Rare(info=info("rare"))
HEAVY = Heavy(info=info("heavy", heavy=True))
HEAVY_FIELDS = HeavyFields(info=info("heavy_fields", heavy=True))
