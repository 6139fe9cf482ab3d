"""Small inline SVG charts, scaled in percent so that their shapes fit any width.

Every number that a shape stands for is beside it as text: shapes are hidden from screen readers.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from markupsafe import Markup

from vlmhb_stages.report.model import Percentiles
from vlmhb_stages.report.performance import Histogram

_SVG = Markup('<svg class="{}" width="100%" height="{}" aria-hidden="true" focusable="false">{}</svg>')


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Maps `low`..`high` to 0..100 percent; `log`: by their logarithms."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        low, high, found = (math.log(end) if self.log else end for end in (self.low, self.high, value))
        share = (found - low) / (high - low) if high > low else 0.0
        return min(max(share, 0.0), 1.0)

    def at(self, value: float) -> str:
        return f"{100 * self.share(value):.2f}%"

    def width(self, start: float, end: float) -> str:
        return f"{float(self.at(end)[:-1]) - float(self.at(start)[:-1]):.2f}%"

    @property
    def ticks(self) -> tuple[float, ...]:
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        return (self.low, middle, self.high)


def nice_scale(values: list[float], *, least: float = 0.0) -> Scale:
    """From 0 (or below, if values are) to a round number at or above the largest value and `least`."""
    top = max([*values, least])
    if top <= 0:
        return Scale(low=min([*values, 0.0]), high=1.0)
    unit = 10.0 ** math.floor(math.log10(top))
    high = next(
        step * unit for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * unit >= top * 0.9999
    )
    return Scale(low=min([*values, 0.0]), high=high)


def log_scale(values: list[float]) -> Scale:
    """From a power of ten below the smallest value, which is positive, to one above the largest."""
    low, high = (math.log10(end) for end in (min(values), max(values)))
    return Scale(
        low=10.0 ** math.floor(low), high=10.0 ** max(math.ceil(high), math.floor(low) + 1), log=True
    )


@dataclass(frozen=True, kw_only=True)
class Dot:
    """`front`: on the line of those that no other one beats."""

    x: float
    y: float
    label: str
    front: bool


def scatter(dots: list[Dot], *, x: Scale, y: Scale, best_is_low: bool) -> Markup:
    """Numbered dots, the best at the top; the front is a line through its dots."""
    height, edge = 220, 12

    def down(value: float) -> float:
        share = y.share(value) if best_is_low else 1 - y.share(value)
        return round(edge + (height - 2 * edge) * share, 1)

    shapes = [_span("grid", start="0%", end="100%", y=down(tick)) for tick in y.ticks]
    shapes += [_line("grid", at=x.at(tick), top=0, bottom=height) for tick in x.ticks]
    front = sorted((dot for dot in dots if dot.front), key=lambda dot: dot.x)
    for one, two in itertools.pairwise(front):
        shapes.append(
            Markup('<line class="front" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
                x.at(one.x), down(one.y), x.at(two.x), down(two.y)
            )
        )
    for dot in dots:
        shapes.append(
            Markup('<circle class="{}" cx="{}" cy="{}" r="9"/><text x="{}" y="{}" dy="4">{}</text>').format(
                "point best" if dot.front else "point",
                x.at(dot.x),
                down(dot.y),
                x.at(dot.x),
                down(dot.y),
                dot.label,
            )
        )
    return _svg("scatter", height=height, shapes=shapes)


def bar(value: float, *, low: float | None, high: float | None, scale: Scale) -> Markup:
    """A bar from 0 to `value` with a whisker from `low` to `high`."""
    zero = max(scale.low, 0.0)
    shapes = [_line("grid", at=scale.at(tick), top=0, bottom=24) for tick in scale.ticks] + [
        _rect("fill", x=scale.at(min(zero, value)), y=6, width=scale.width(*sorted((zero, value))), height=12)
    ]
    if low is not None and high is not None:
        shapes.append(_span("whisker", start=scale.at(low), end=scale.at(high), y=12))
        shapes += [_line("whisker", at=scale.at(end), top=8, bottom=16) for end in (low, high)]
    return _svg("bar", height=24, shapes=shapes)


def spread(values: Percentiles, *, scale: Scale) -> Markup:
    """p50 to p99 as a line, p50 as a dot, p90 as a tick."""
    shapes = [
        _span("rail", start="0%", end="100%", y=8),
        _span("reach", start=scale.at(values.p50), end=scale.at(values.p99), y=8),
        _line("mark", at=scale.at(values.p90), top=3, bottom=13),
        Markup('<circle class="dot" cx="{}" cy="8" r="4"/>').format(scale.at(values.p50)),
    ]
    return _svg("spread", height=16, shapes=shapes)


def histogram_chart(histogram: Histogram, *, marks: Percentiles) -> Markup:
    """Bars of counts with lines at p50 and p90."""
    height, peak = 96, max(histogram.counts)
    width = 100 / len(histogram.counts)
    scale = Scale(low=0.0, high=histogram.upper)
    shapes = []
    for index, found in enumerate(histogram.counts):
        tall = max(round(found / peak * (height - 4)), 2) if found else 0
        x = f"{index * width + 0.25:.2f}%"
        shapes.append(_rect("fill", x=x, y=height - tall, width=f"{width - 0.5:.2f}%", height=tall))
    shapes += [_line("mark", at=scale.at(value), top=0, bottom=height) for value in (marks.p50, marks.p90)]
    return _svg("histogram", height=height, shapes=shapes)


def _svg(name: str, *, height: int, shapes: list[Markup]) -> Markup:
    return _SVG.format(name, height, Markup("").join(shapes))


def _rect(name: str, *, x: str, y: int, width: str, height: int) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="1.5"/>').format(
        name, x, y, width, height
    )


def _line(name: str, *, at: str, top: int, bottom: int) -> Markup:
    return Markup('<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(name, at, at, top, bottom)


def _span(name: str, *, start: str, end: str, y: float) -> Markup:
    return Markup('<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(name, start, end, y, y)
