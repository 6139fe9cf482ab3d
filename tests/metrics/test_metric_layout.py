"""Boxes in all notations, units and corners; sequences of blocks; formulas."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vlmhb_benchmarks.metrics import get_metric
from vlmhb_benchmarks.metrics.base import Context, ContextMetric
from vlmhb_benchmarks.metrics.layout.boxes import Box, Size, find_box, iou
from vlmhb_benchmarks.metrics.layout.formula import normalise_formula
from vlmhb_benchmarks.metrics.layout.sequences import read_blocks

law = settings(deadline=None, max_examples=100, derandomize=True)
SIDE = st.integers(0, 50)
BOX = st.tuples(SIDE, SIDE, SIDE, SIDE).map(list)


@law
@given(one=BOX, two=BOX)
def test_iou_is_symmetric_bounded_and_1_for_itself(one: list[int], two: list[int]) -> None:
    metric = get_metric("iou")
    value = metric.score(str(one), [str(two)]).value
    assert value is not None and 0.0 <= value <= 1.0
    if max(one) <= 1 or max(two) <= 1:
        return  # fractions: another unit on one side
    assert value == metric.score(str(two), [str(one)]).value
    assert metric.score(str(one), [str(one)]).value == 1.0
    assert get_metric("iou_50").score(str(one), [str(two)]).value == (1.0 if value >= 0.5 else 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2, 3, 4]",
        "(1,2),(3,4)",
        "1 2 3 4",
        '{"bbox_2d": [1, 2, 3, 4]}',
        '[{"label": "x", "bbox": [1, 2, 3, 4]}]',
        '{"answer": "x", "bbox": "none", "box": [1, 2, 3, 4]}',
        '{"objects": [{"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}]}',
        "```json\n[[1, 2], [3, 4]]\n```",
        "It is at <b>[1,2,3,4]</b>, as I see it.",
        "x1=1, y1=2: [1, 2, 3, 4]",
    ],
)
def test_notations(text: str) -> None:
    assert find_box(text) == Box(left=1, top=2, right=3, bottom=4, unit="plain")


@pytest.mark.parametrize("text", ["", "1 2 3", "v1.2.3.4.5", "none", "[1, 2, 3]", '{"bbox": [1, 2, 3]}'])
def test_no_box(text: str) -> None:
    assert find_box(text) is None
    assert get_metric("iou").score(text, ["[1,2,3,4]"]).flag == "invalid_structure"


def test_units_meet_as_fractions_of_the_image() -> None:
    tagged, plain, fraction = (
        find_box(text) for text in ("<box>(0,0),(500,500)</box>", "0 0 400 100", "0 0 0.5 0.5")
    )
    assert tagged and plain and fraction
    assert (tagged.unit, plain.unit, fraction.unit) == ("thousandth", "plain", "fraction")
    assert iou(tagged, fraction) == 1.0
    assert iou(tagged, plain, size=Size(width=800, height=200)) == 1.0
    assert iou(plain, fraction, size=Size(width=800, height=200)) == 1.0


@pytest.mark.parametrize("metadata", [{}, {"image_width": "x", "image_height": "1"}, {"image_width": "0"}])
def test_a_size_that_is_none_is_left_out(metadata: dict[str, str]) -> None:
    metric = get_metric("iou")
    assert isinstance(metric, ContextMetric)
    assert metric.in_context(Context(metadata=metadata)) == metric


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("a > b -> c → d", ("a", "b", "c", "d")),
        ('["title 1", "text 2"]', ("title 1", "text 2")),
        ("[[1, 2], [3]]", ("1", "2", "3")),
        ("1,2;3\n4", ("1", "2", "3", "4")),
        ("block-1 block-2", ("block-1", "block-2")),
        ("", ()),
    ],
)
def test_blocks(text: str, blocks: tuple[str, ...]) -> None:
    assert read_blocks(text) == blocks


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        (r"\[ \mathbf{X} + 1 \]", "{x}+1"),
        (r"so \(a\) it is", "a"),
        ("\\[\na\n\\]", "\\[a\\]"),  # as in OmniDocBench the delimiters stand on one line
        (r"\[a\\\]b\]", r"a\\\]b"),
        ("$x$", "x"),
    ],
)
def test_formula_delimiters(text: str, formula: str) -> None:
    assert normalise_formula(text) == formula


@pytest.mark.parametrize(
    "text",
    [
        "\\[" * 50_000,
        "\\begin{" * 20_000,
        "```" * 30_000,
        "$" * 100_000,
        "\\]" * 50_000,
        "<box>" * 15_000,
        "[" * 50_000,
    ],
)
@pytest.mark.parametrize("name", ["formula_edit", "iou", "reading_order"])
def test_hostile_texts_take_no_time(name: str, text: str) -> None:
    started = time.perf_counter()
    get_metric(name).score(text, ["[1,2,3,4]"])
    assert time.perf_counter() - started < 5.0


@pytest.mark.parametrize("name", ["reading_order", "formula_edit"])
def test_missing_and_blank(name: str) -> None:
    metric = get_metric(name)
    assert metric.missing(["a"]).value == 1.0
    assert metric.missing([" "]).flag == "empty_reference"
    assert metric.score("a", []).flag == "no_reference"
