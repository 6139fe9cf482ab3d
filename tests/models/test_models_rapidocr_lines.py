"""Text boxes become lines in reading order, on level and on slightly turned pages."""

from __future__ import annotations

import math

import pytest
from vlmhb_models.rapidocr_lines import box_from_quad, join_lines

Corner = tuple[float, float]


def quad(x: float, y: float, *, width: float = 100, height: float = 20, turn: float = 0.0) -> list[Corner]:
    """A box with its top left at (x, y) on a page that is then turned by `turn` degrees."""
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    return [(a * cos - b * sin, a * sin + b * cos) for a, b in corners]


def test_no_boxes_are_no_text() -> None:
    assert join_lines([]) == ""


def test_boxes_of_a_line_are_joined_from_left_to_right() -> None:
    boxes = [
        box_from_quad("b", quad(300, 102)),
        box_from_quad("a", quad(0, 98)),
        box_from_quad("c", quad(0, 140)),
    ]
    assert join_lines(boxes) == "a b\nc"


@pytest.mark.parametrize("turn", [-8.0, -1.5, 0.0, 1.5, 8.0])
def test_turned_page_reads_like_a_level_one(turn: float) -> None:
    """At 1000 pixels of width and 8 degrees the ends of a line are 140 pixels apart in height."""
    boxes = []
    for row in range(4):
        for column in range(3):
            boxes.append(box_from_quad(f"{row}{column}", quad(400 * column, 30 * row, turn=turn)))
    assert join_lines(boxes[::-1]) == "00 01 02\n10 11 12\n20 21 22\n30 31 32"


def test_small_print_beside_a_headline_keeps_its_lines() -> None:
    headline = box_from_quad("BIG", quad(0, 0, height=60))
    above = box_from_quad("above", quad(300, -2, height=16))
    below = box_from_quad("below", quad(300, 48, height=16))
    assert join_lines([headline, above, below]) == "above\nBIG\nbelow"


def test_box_knows_its_middle_size_and_angle() -> None:
    box = box_from_quad("x", quad(10, 20, width=40, height=10))
    assert (box.x, box.y, box.width, box.height, box.angle) == (30, 25, 40, 10, 0)
