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

Flag = Literal["no_reference", "empty_reference", "invalid_reference", "invalid_json"]


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """The label of a metric. `highest` is None where the value has no upper bound."""

    name: str
    version: str
    direction: Literal["higher", "lower"]
    lowest: float
    highest: float | None
    description: str
    source: str  # paper or official scorer that the formula comes from
    empty_rule: str  # what happens with an empty reference or answer
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def range(self) -> str:
        top = "∞" if self.highest is None else f"{self.highest:g}"
        return f"{self.lowest:g}..{top}"


@dataclass(frozen=True, kw_only=True)
class SampleScore:
    """One answer under one metric. `value` and `parts` are None together: undefined, not 0; `flag` says why.

    `parts` add up over samples; what each column means is the metric's own affair.
    """

    value: float | None
    parts: tuple[float, ...] | None
    matched_reference: str | None = None
    flag: Flag | None = None


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
