"""Reading order of transcribed boxes: lines from top to bottom, and from left to right inside a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SAME_LINE = 0.5  # of the smaller height: boxes whose middles are nearer than this share a line


@dataclass(frozen=True)
class Box:
    """A transcribed text and its upright bounds in pixels."""

    text: str
    left: float
    top: float
    bottom: float

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        return self.bottom - self.top


def box_of(text: str, corners: Sequence[float]) -> Box:
    """`corners`: x1, y1, ... x4, y4."""
    xs, ys = corners[0::2], corners[1::2]
    return Box(text=text, left=min(xs), top=min(ys), bottom=max(ys))


def in_reading_order(boxes: Sequence[Box]) -> list[str]:
    """One text per line of the page; boxes of a line are joined by a space."""
    lines: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: (box.middle, box.left)):
        if lines and _same_line(box, lines[-1]):
            lines[-1].append(box)
        else:
            lines.append([box])
    return [" ".join(box.text for box in sorted(line, key=lambda box: box.left)) for line in lines]


def _same_line(box: Box, line: Sequence[Box]) -> bool:
    middle = sum(item.middle for item in line) / len(line)
    return abs(box.middle - middle) < SAME_LINE * min(box.height, *(item.height for item in line))
