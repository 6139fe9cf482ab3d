"""What a metric is: a frozen, pure object that turns an answer into parts, and totals of parts into a value.

Every metric here is a function of sums (edits and characters, matches and fields, values and samples). So an
aggregate, a slice and a bootstrap draw all need nothing but the totals of the parts of their samples.
Standard library only: the host lists metrics without importing a scorer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

Flag = Literal[
    "no_reference",
    "empty_reference",
    "invalid_reference",
    "invalid_json",
    "invalid_structure",  # JSON that breaks its schema, a table that is no table
    "no_schema",  # nothing to check the structure against
    "failed",  # the metric's own code raised an exception (metrics of users only)
    "unscored",  # a metric backend gave no value
    "unknown_type",  # a benchmark with a rule per question type, and no rule for this one
]
Average = Literal["mean", "micro", "corpus"]


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """The label of a metric. `highest` is None where the value has no upper bound.

    `average`: how samples become one value: `mean` of their values, `micro` (sums over sums), or `corpus` (a formula
    of its own). `heavy`: worth a process of its own per core (table trees, not edit distances)."""

    name: str
    version: str
    direction: Literal["higher", "lower"]
    lowest: float
    highest: float | None
    description: str
    source: str  # paper or official scorer that the formula comes from
    empty_rule: str  # what happens with an empty reference or answer
    params: Mapping[str, Any] = field(default_factory=dict)
    average: Average = "mean"
    heavy: bool = False
    binary: bool = False  # every sample is 0 or 1, so McNemar's test applies
    deviations: str = ""  # where it differs from other tools' metric of that name

    @property
    def range(self) -> str:
        top = "∞" if self.highest is None else f"{self.highest:g}"
        return f"{self.lowest:g}..{top}"


class MetricError(ValueError):
    """A metric cannot be computed over this set (too many classes): a user's mistake, said in a line with a hint."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message, self.hint = message, hint
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class SampleScore:
    """One answer under one metric. `value` and `parts` are None together: undefined, not 0; `flag` says why.

    `parts` add up over samples; what each column means is the metric's own affair.
    """

    value: float | None
    parts: tuple[float, ...] | None
    matched_reference: str | None = None
    flag: Flag | None = None


@dataclass(frozen=True, kw_only=True)
class Context:
    """What is known of a sample besides its references. `metadata` holds the labels' metadata too."""

    metadata: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    response_schema: Mapping[str, Any] | None = None
    question: str = ""


@runtime_checkable
class Metric(Protocol):
    """The contract of built-in and plug-in metrics."""

    @property
    def info(self) -> MetricInfo: ...

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """Score one answer against the references, any of which is right."""

    def missing(self, references: Sequence[str]) -> SampleScore:
        """The score of a sample with no answer: the worst that saying nothing can get."""

    def from_totals(self, totals: Sequence[float]) -> float | None:
        """The aggregate of the samples whose parts sum to `totals`; None where it is undefined."""


@runtime_checkable
class ContextMetric(Protocol):
    """A metric whose rule depends on the sample: its question type, its choices, its schema."""

    def in_context(self, context: Context) -> Metric:
        """The metric for that one sample. All bound metrics share `info` and `from_totals`."""


@runtime_checkable
class FittedMetric(Protocol):
    """A metric that must see all references of an evaluation first: document frequencies, a list of classes."""

    def fit(self, references: Iterable[Sequence[str]]) -> Metric:
        """The metric for that set; its parts add up like those of any other."""


@runtime_checkable
class FieldMetric(Protocol):
    """A metric that can be told field by field (key-information extraction)."""

    def by_field(self, prediction: str | None, references: Sequence[str]) -> Mapping[str, SampleScore]:
        """Scores by field name, for the fields of the references and of the answer; None = no answer."""


@runtime_checkable
class BatchMetric(Protocol):
    """A metric that scores many answers at once, faster than one by one and with equal results."""

    def score_batch(
        self, predictions: Sequence[str], references: Sequence[Sequence[str]]
    ) -> Sequence[SampleScore]:
        """As `score` of each pair."""


def undefined(flag: Flag) -> SampleScore:
    return SampleScore(value=None, parts=None, flag=flag)


def mean_score(value: float, *, matched_reference: str | None) -> SampleScore:
    """The score of a metric whose aggregate is the plain mean: parts are (value, 1)."""
    return SampleScore(value=value, parts=(value, 1.0), matched_reference=matched_reference)


def ratio(totals: Sequence[float]) -> float | None:
    """First total over second, the mean for parts (value, 1). 0/0 is None: nothing was measured."""
    numerator, denominator = totals
    return numerator / denominator if denominator else None


def sum_parts(parts: Iterable[Sequence[float]]) -> tuple[float, ...]:
    """Column sums, correctly rounded, so that the order of the samples never shows in the last digit."""
    return tuple(math.fsum(column) for column in zip(*parts, strict=True))


def aggregate(metric: Metric, scores: Iterable[SampleScore]) -> float | None:
    """The aggregate of `scores`, undefined ones left out; None if none is defined."""
    totals = sum_parts(score.parts for score in scores if score.parts is not None)
    return metric.from_totals(totals) if totals else None


def best(scores: Iterable[SampleScore], *, key: Callable[[float], float]) -> SampleScore | None:
    """The defined score with the largest `key(value)`, the first of equals; None if none is defined."""
    chosen: SampleScore | None = None
    for score in scores:
        if score.value is None:
            continue
        if chosen is None or chosen.value is None or key(score.value) > key(chosen.value):
            chosen = score
    return chosen


@dataclass(frozen=True, kw_only=True)
class MeanMetric:
    """Base of metrics that average one value per sample, the best reference counting.

    A subclass gives `compare(prediction, reference) -> float`. Higher is better unless `info` says otherwise."""

    info: MetricInfo

    def compare(self, prediction: str, reference: str) -> float:
        raise NotImplementedError

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        sign = 1.0 if self.info.direction == "higher" else -1.0
        scores = (
            mean_score(self.compare(prediction, reference), matched_reference=reference)
            for reference in references
        )
        return best(scores, key=lambda value: sign * value) or undefined("no_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        """The worst value, even where an empty answer would have been right."""
        if not references:
            return undefined("no_reference")
        worst = self.info.lowest if self.info.direction == "higher" else self.info.highest
        return mean_score(1.0 if worst is None else worst, matched_reference=references[0])

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)
