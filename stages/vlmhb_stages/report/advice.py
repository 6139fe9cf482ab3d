"""Cheaper or faster configurations that are as good, as far as the samples can tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from vlmhb_stages.report.model import Advice, Comparison, EvaluationReport, NoAdvice

Saves = Literal["cost", "latency"]
SAVES: tuple[Saves, ...] = ("cost", "latency")
WORTH = 0.9  # saving less than a tenth is no advice
ENOUGH = 30  # samples: with fewer, an interval is so wide that nearly everything lies in it and a test finds nothing
MAX_EACH = 5  # for one benchmark and kind of saving; the cheapest first


def advice(reports: Sequence[EvaluationReport], *, comparisons: Sequence[Comparison]) -> tuple[Advice, ...]:
    """For each benchmark, against its best evaluation; the largest savings first."""
    found: list[Advice] = []
    for group in groups_of(reports):
        best = best_of(group)
        if is_small(best):
            continue
        for kind in SAVES:
            told = [
                one
                for other in group
                if other is not best and (one := _advice(other, best, saves=kind, comparisons=comparisons))
            ]
            found += sorted(told, key=lambda one: one.ratio)[:MAX_EACH]
    return tuple(found)


def withheld(reports: Sequence[EvaluationReport]) -> tuple[NoAdvice, ...]:
    """Benchmarks where somebody is cheaper or faster than the best, but of too few samples to say whether as good."""
    found = []
    for group in groups_of(reports):
        best = best_of(group)
        saves = any(_ratio(other, best, saves=kind) for other in group if other is not best for kind in SAVES)
        if is_small(best) and saves and best.headline is not None:
            found.append(NoAdvice(benchmark=best.benchmark, n=best.headline.n, needed=ENOUGH))
    return tuple(found)


def is_small(report: EvaluationReport) -> bool:
    return report.headline is None or report.headline.n < ENOUGH


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
    ratio = _ratio(other, best, saves=saves)
    if ratio is None:
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
        ratio=ratio,
        difference=difference,
        by=as_good,
    )


def _ratio(other: EvaluationReport, best: EvaluationReport, *, saves: Saves) -> float | None:
    """What `other` costs or takes of what `best` does; None where that is not known or saves too little."""
    ours, theirs = saving_of(other, saves), saving_of(best, saves)
    if saves == "cost" and other.cost.currency != best.cost.currency:
        return None
    if ours is None or not theirs or ours > WORTH * theirs:
        return None
    return round(ours / theirs, 4)


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
