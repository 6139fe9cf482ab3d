"""Cheaper or faster configurations that are as good, as far as the samples can tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from vlmhb_stages.report.model import Advice, Comparison, EvaluationReport

Saves = Literal["cost", "latency"]
WORTH = 0.9  # saving less than a tenth is no advice
MAX_EACH = 5  # for one benchmark and kind of saving; the cheapest first


def advice(reports: Sequence[EvaluationReport], *, comparisons: Sequence[Comparison]) -> tuple[Advice, ...]:
    """For each benchmark, against its best evaluation; the largest savings first."""
    found: list[Advice] = []
    for group in groups_of(reports):
        best = best_of(group)
        for saves in ("cost", "latency"):
            kind: Saves = "cost" if saves == "cost" else "latency"
            told = [
                one
                for other in group
                if other is not best and (one := _advice(other, best, saves=kind, comparisons=comparisons))
            ]
            found += sorted(told, key=lambda one: one.ratio)[:MAX_EACH]
    return tuple(found)


def groups_of(reports: Iterable[EvaluationReport]) -> list[list[EvaluationReport]]:
    """Evaluations that share benchmark, primary metric and its version, two or more of them."""
    groups: dict[tuple[str, str, str], list[EvaluationReport]] = {}
    for report in reports:
        metric = report.headline
        if metric is not None and metric.value is not None:
            groups.setdefault((report.benchmark, metric.name, metric.version), []).append(report)
    return [group for group in groups.values() if len(group) > 1]


def best_of(group: Sequence[EvaluationReport]) -> EvaluationReport:
    """The first of the best."""
    return max(group, key=lambda report: signed_value(report))


def signed_value(report: EvaluationReport) -> float:
    """Larger is better."""
    metric = report.headline
    if metric is None or metric.value is None:
        return float("-inf")
    return metric.value if metric.direction == "higher" else -metric.value


def saving_of(report: EvaluationReport, saves: Saves) -> float | None:
    """Cost of a sample, or the median latency."""
    if saves == "cost":
        return report.cost.per_sample
    return report.performance.latency_s.p50 if report.performance.latency_s else None


def _advice(
    other: EvaluationReport, best: EvaluationReport, *, saves: Saves, comparisons: Sequence[Comparison]
) -> Advice | None:
    ours, theirs = saving_of(other, saves), saving_of(best, saves)
    if saves == "cost" and other.cost.currency != best.cost.currency:
        return None
    if ours is None or not theirs or ours > WORTH * theirs:
        return None
    pair = next((one for one in comparisons if {one.a, one.b} == {other.id, best.id}), None)
    as_good = _not_told_apart(other, best, pair=pair)
    if as_good is None or best.headline is None:
        return None
    difference = None
    if pair is not None and pair.difference is not None:
        difference = pair.difference if pair.a == other.id else -pair.difference
    return Advice(
        benchmark=best.benchmark,
        metric=best.headline.name,
        instead=other.id,
        of=best.id,
        saves=saves,
        ratio=round(ours / theirs, 4),
        difference=difference,
        by=as_good,
    )


def _not_told_apart(
    other: EvaluationReport, best: EvaluationReport, *, pair: Comparison | None
) -> Literal["test", "interval"] | None:
    """None where they are told apart, or nothing is known. A test beats the interval."""
    if pair is not None and pair.p_adjusted is not None:
        return "test" if pair.better is None else None
    metric, value = best.headline, other.headline.value if other.headline else None
    if metric is None or metric.ci_low is None or metric.ci_high is None or value is None:
        return None
    return "interval" if metric.ci_low <= value <= metric.ci_high else None
