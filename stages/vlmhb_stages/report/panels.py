"""Bar charts of the primary metric: one panel for each benchmark, or for each metric when there is one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from vlmhb_stages.contracts import MetricValue
from vlmhb_stages.report.board import Entry
from vlmhb_stages.report.charts import Scale, bar, nice_scale
from vlmhb_stages.report.worst import full_marks


@dataclass(frozen=True, kw_only=True)
class Bar:
    label: str
    entry: Entry
    metric: MetricValue | None
    chart: Markup | None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Bars of one metric on one scale, best first; evaluations without a value come last."""

    title: str
    metric: MetricValue
    scale: Scale
    bars: tuple[Bar, ...]


def panels_of(entries: Sequence[Entry]) -> tuple[Panel, ...]:
    """With one model, benchmarks that share a metric share a panel: sixty panels of one bar help nobody."""
    one_model = len({entry.report.model for entry in entries}) == 1
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        if entry.metric is not None:
            place = "" if one_model else entry.report.benchmark
            groups.setdefault((place, entry.metric.name), []).append(entry)
    return tuple(
        _panel(group, title=place or group[0].report.model, by_benchmark=one_model)
        for (place, _), group in groups.items()
    )


def _panel(group: list[Entry], *, title: str, by_benchmark: bool) -> Panel:
    metrics = [entry.metric for entry in group if entry.metric is not None]
    scale = _scale(metrics)
    labels = [entry.report.benchmark if by_benchmark else entry.report.model for entry in group]
    bars = []
    for entry, label in zip(group, labels, strict=True):
        twice = labels.count(label) > 1
        bars.append(_bar(entry, label=f"{label} ({entry.report.id})" if twice else label, scale=scale))
    if not by_benchmark:
        sign = -1 if metrics[0].direction == "higher" else 1
        bars.sort(key=lambda item: _order(item, sign=sign))
    return Panel(title=title, metric=metrics[0], scale=scale, bars=tuple(bars))


def _order(item: Bar, *, sign: int) -> float:
    return sign * item.entry.value if item.entry.value is not None else float("inf")


def _scale(metrics: list[MetricValue]) -> Scale:
    """Shares always run from 0 to their full marks, so that panels can be compared; error rates may exceed 1."""
    seen = [
        value
        for metric in metrics
        for value in (metric.value, metric.ci_low, metric.ci_high)
        if value is not None
    ]
    if metrics[0].direction == "higher":
        return Scale(low=min([*seen, 0.0]), high=max(full_marks(metric) for metric in metrics))
    return nice_scale(seen)


def _bar(entry: Entry, *, label: str, scale: Scale) -> Bar:
    metric = entry.metric
    if metric is None or metric.value is None:
        return Bar(label=label, entry=entry, metric=metric, chart=None)
    chart = bar(metric.value, low=metric.ci_low, high=metric.ci_high, scale=scale)
    return Bar(label=label, entry=entry, metric=metric, chart=chart)
