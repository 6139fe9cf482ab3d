"""Reads a bounding box from a model's answer, in the notations that vision-language models use."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vlmhb_benchmarks.metrics.json_answer import find_json

# plain: pixels, or whatever unit the prompt asked for; fraction: all of it in 0..1; thousandth: of the image's side
Unit = Literal["plain", "fraction", "thousandth"]

MAX_CHARS = 100_000
_MAX_DEPTH = 8
_LIST_KEYS = ("bbox_2d", "bbox", "box_2d", "box", "bounding_box", "coordinates")
_CORNER_KEYS = (
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("left", "top", "right", "bottom"),
)
_NUMBER = r"[-+]?(?:[0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})(?:[eE][-+]?[0-9]{1,2})?"
_TAGGED = re.compile(r"<\|?(?:box|box_start)\|?>(.{0,200}?)<(?:/box|\|box_end\|)>", re.DOTALL)
_FOUR = re.compile(rf"(?<![\w.])({_NUMBER})" + rf"[\s,;()\[\]]{{1,8}}({_NUMBER})" * 3 + r"(?![\w])")
_NUMBERS = re.compile(_NUMBER)


@dataclass(frozen=True, kw_only=True)
class Size:
    """Width and height of an image in pixels."""

    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Box:
    """Left, top, right, bottom; corners given the other way round are put in order."""

    left: float
    top: float
    right: float
    bottom: float
    unit: Unit

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)

    def as_fraction(self, size: Size) -> Box:
        wide, high = {
            "fraction": (1.0, 1.0),
            "thousandth": (1000.0, 1000.0),
            "plain": (size.width, size.height),
        }[self.unit]
        return Box(
            left=self.left / wide,
            top=self.top / high,
            right=self.right / wide,
            bottom=self.bottom / high,
            unit="fraction",
        )


def iou(one: Box, two: Box, *, size: Size | None = None) -> float:
    """Intersection over union. Equal boxes: 1, even without area.

    Boxes in different units are compared as fractions of the image; without its size plain numbers are thousandths."""
    if one.unit != two.unit:
        known = size or Size(width=1000.0, height=1000.0)
        one, two = one.as_fraction(known), two.as_fraction(known)
    width = min(one.right, two.right) - max(one.left, two.left)
    height = min(one.bottom, two.bottom) - max(one.top, two.top)
    shared = max(0.0, width) * max(0.0, height)
    union = one.area + two.area - shared
    if union <= 0.0 or not math.isfinite(union):
        return 1.0 if one == two else 0.0
    return min(1.0, shared / union)


def find_box(text: str) -> Box | None:
    """The first box of `text`: in a `<box>` tag, in JSON, or the first four numbers in a row. None: there is none."""
    if len(text) > MAX_CHARS:
        return None
    tagged = _TAGGED.search(text)
    if tagged:
        return _box(_NUMBERS.findall(tagged.group(1)), tagged=True)
    for numbers in _in_json(find_json(text), depth=0):
        if found := _box(numbers, tagged=False):
            return found
    plain = _FOUR.search(text)
    return _box(plain.groups(), tagged=False) if plain else None


def _in_json(value: Any, *, depth: int) -> Iterator[Sequence[Any]]:
    """Candidates, each of four values, outer before inner."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        yield _flat(value)
        for child in value:
            yield from _in_json(child, depth=depth + 1)
    elif isinstance(value, dict):
        for keys in _CORNER_KEYS:
            yield [value.get(key) for key in keys]
        named = [value[key] for key in _LIST_KEYS if key in value]
        for child in (*named, *value.values()):
            yield from _in_json(child, depth=depth + 1)


def _flat(values: list[Any]) -> list[Any]:
    """`[[x1, y1], [x2, y2]]` is a box as well."""
    if len(values) == 2 and all(isinstance(pair, list) and len(pair) == 2 for pair in values):
        return [*values[0], *values[1]]
    return values


def _box(values: Sequence[Any], *, tagged: bool) -> Box | None:
    if len(values) != 4 or not all(isinstance(value, str) and _NUMBERS.fullmatch(value) for value in values):
        return None
    x1, y1, x2, y2 = (float(value) for value in values)
    inside = all(0.0 <= value <= 1.0 for value in (x1, y1, x2, y2))
    unit: Unit = "fraction" if inside else "thousandth" if tagged else "plain"
    return Box(left=min(x1, x2), top=min(y1, y2), right=max(x1, x2), bottom=max(y1, y2), unit=unit)
