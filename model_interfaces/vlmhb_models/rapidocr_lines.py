"""Joins text boxes into lines of text: top to bottom, and from left to right inside a line."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

SAME_LINE = 0.5  # of the line's height: boxes whose middles are nearer than this share a line


@dataclass(frozen=True)
class TextBox:
    """A recognised text. `x`, `y`: its middle in pixels; `angle`: of its baseline, radians, clockwise."""

    text: str
    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0


def box_from_quad(text: str, quad: Sequence[Sequence[float]]) -> TextBox:
    """`quad`: four corners (x, y), clockwise from the text's top left."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = [(float(corner[0]), float(corner[1])) for corner in quad]
    return TextBox(
        text=text,
        x=(x0 + x1 + x2 + x3) / 4,
        y=(y0 + y1 + y2 + y3) / 4,
        width=math.hypot(x1 - x0, y1 - y0),
        height=math.hypot(x3 - x0, y3 - y0),
        angle=math.atan2(y1 - y0, x1 - x0),
    )


def join_lines(boxes: Sequence[TextBox]) -> str:
    """One line of text per line of the page; boxes of a line are separated by a space."""
    return "\n".join(" ".join(box.text for box in line) for line in text_lines(boxes))


def text_lines(boxes: Sequence[TextBox]) -> list[list[TextBox]]:
    """Boxes grouped into lines. A page turned by a few degrees is levelled first by its usual angle."""
    level = [_turned(box, angle=-_page_angle(boxes)) for box in boxes]
    order = sorted(range(len(boxes)), key=lambda index: (level[index].y, level[index].x))
    lines: list[list[int]] = []
    for index in order:
        if lines and _same_line(level[index], [level[item] for item in lines[-1]]):
            lines[-1].append(index)
        else:
            lines.append([index])
    return [[boxes[index] for index in sorted(line, key=lambda item: level[item].x)] for line in lines]


def _same_line(box: TextBox, line: Sequence[TextBox]) -> bool:
    middle = statistics.fmean(item.y for item in line)
    height = min(box.height, statistics.fmean(item.height for item in line))
    return abs(box.y - middle) < SAME_LINE * height


def _page_angle(boxes: Sequence[TextBox]) -> float:
    """The median angle of the long boxes: short ones have corners too coarse to tell."""
    long = [box.angle for box in boxes if box.width > 3 * box.height and abs(box.angle) < math.radians(15)]
    return statistics.median(long) if long else 0.0


def _turned(box: TextBox, *, angle: float) -> TextBox:
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = box.x * cos - box.y * sin, box.x * sin + box.y * cos
    return TextBox(text=box.text, x=x, y=y, width=box.width, height=box.height)
