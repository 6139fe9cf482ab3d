"""What a better answer costs: each evaluation's accuracy beside its cost and latency, and who is beaten in nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from vlmhb_stages.contracts import MetricValue
from vlmhb_stages.report.advice import Saves, groups_of, saving_of, signed_value
from vlmhb_stages.report.board import Entry
from vlmhb_stages.report.charts import Dot, Scale, log_scale, nice_scale, scatter

PER = 1000  # samples that costs are told for


@dataclass(frozen=True, kw_only=True)
class Point:
    """One evaluation. `number` marks it in the charts; `front`: no other one is better in all that is known."""

    number: int
    entry: Entry
    cost: float | None  # of PER samples
    latency: float | None
    front: bool = False


@dataclass(frozen=True, kw_only=True)
class Chart:
    """`log`: equal distances are equal factors."""

    title: str
    unit: str
    svg: Markup
    x: Scale
    up: tuple[float, ...]  # ticks from the top down: the best is at the top
    log: bool


@dataclass(frozen=True, kw_only=True)
class Tradeoff:
    """Evaluations of one benchmark, best first."""

    benchmark: str
    metric: MetricValue
    points: tuple[Point, ...]
    charts: tuple[Chart, ...]


def tradeoffs(entries: Sequence[Entry], *, currency: str | None) -> tuple[Tradeoff, ...]:
    """One for each benchmark where two evaluations have a cost or a latency to compare."""
    by_report = {id(entry.report): entry for entry in entries}
    found = []
    for group in groups_of(entry.report for entry in entries):
        tradeoff = _tradeoff([by_report[id(report)] for report in group], currency=currency)
        if tradeoff is not None:
            found.append(tradeoff)
    return tuple(found)


def _tradeoff(entries: list[Entry], *, currency: str | None) -> Tradeoff | None:
    ordered = sorted(entries, key=lambda entry: -signed_value(entry.report))
    points = [_point(entry, number=number) for number, entry in enumerate(ordered, start=1)]
    points = [_marked(point, points) for point in points]
    metric = ordered[0].metric
    charts = (
        _chart(
            points, saves="cost", title=f"Cost of {PER:,} samples".replace(",", "\u202f"), unit=currency or ""
        ),
        _chart(points, saves="latency", title="Latency, median", unit="s"),
    )
    drawn = tuple(chart for chart in charts if chart is not None)
    if metric is None or not drawn:
        return None
    return Tradeoff(benchmark=ordered[0].report.benchmark, metric=metric, points=tuple(points), charts=drawn)


def _point(entry: Entry, *, number: int) -> Point:
    cost = saving_of(entry.report, "cost")
    return Point(
        number=number,
        entry=entry,
        cost=cost * PER if cost is not None else None,
        latency=saving_of(entry.report, "latency"),
    )


def _marked(point: Point, points: Sequence[Point]) -> Point:
    on_front = not any(_beats(other, point) for other in points)
    return Point(
        number=point.number, entry=point.entry, cost=point.cost, latency=point.latency, front=on_front
    )


def _beats(other: Point, point: Point) -> bool:
    """At least as good in all three and better in one; what is not known of both cannot be compared."""
    pairs = [(-signed_value(other.entry.report), -signed_value(point.entry.report))]
    for ours, theirs in ((other.cost, point.cost), (other.latency, point.latency)):
        if (ours is None) != (theirs is None):
            return False
        if ours is not None and theirs is not None:
            pairs.append((ours, theirs))
    return all(ours <= theirs for ours, theirs in pairs) and any(ours < theirs for ours, theirs in pairs)


def _chart(points: Sequence[Point], *, saves: Saves, title: str, unit: str) -> Chart | None:
    """None where fewer than two points are known."""
    known = [(point, point.cost if saves == "cost" else point.latency, point.entry.value) for point in points]
    placed = [(point, x, y) for point, x, y in known if x is not None and y is not None]
    if len(placed) < 2:
        return None
    xs = [x for _, x, _ in placed]
    log = min(xs) > 0 and max(xs) / min(xs) > 20
    x_scale = log_scale(xs) if log else nice_scale(xs)
    y_scale = nice_scale([y for _, _, y in placed])
    best = {point.number for point, x, y in placed if not _beaten(point, x, placed)}
    dots = [Dot(x=x, y=y, label=str(point.number), front=point.number in best) for point, x, y in placed]
    metric = points[0].entry.metric
    low = metric is not None and metric.direction == "lower"
    return Chart(
        title=title,
        unit=unit,
        svg=scatter(dots, x=x_scale, y=y_scale, best_is_low=low),
        x=x_scale,
        up=y_scale.ticks if low else y_scale.ticks[::-1],
        log=log,
    )


def _beaten(point: Point, x: float, placed: Sequence[tuple[Point, float, float]]) -> bool:
    """In this chart alone."""
    ours = signed_value(point.entry.report)
    return any(
        other_x <= x
        and signed_value(other.entry.report) >= ours
        and (other_x < x or signed_value(other.entry.report) > ours)
        for other, other_x, _ in placed
    )
