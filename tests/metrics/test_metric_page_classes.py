"""Classes of pages: one number per page, in every form in which models and the prototype's files give them."""

from __future__ import annotations

import pytest
from vlmhb_benchmarks.metrics import aggregate, get_metric

GOLD = ["[4, 4, 1, 3, 2]"]
METRIC = get_metric("page_class_accuracy")


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("[4, 4, 1, 3, 2]", 5),
        ("4,4,1,3,2", 5),
        ("44132", 5),
        ("Ответ: [4, 4, 1, 3, 2].", 5),
        ("pages [1, 2] are unclear, so [4, 4, 1, 3, 0]", 4),
        ("4 4 1 3", 4),
        ("44133", 4),
        ("04, 4, 1, 3, 2", 5),
        ("", 0),
        ("no idea", 0),
    ],
)
def test_pages_that_are_right(answer: str, right: int) -> None:
    assert METRIC.score(answer, GOLD).value == right / 5


def test_a_longer_list_is_held_against_the_answer() -> None:
    assert METRIC.score("[4, 4, 1, 3, 2, 2, 2, 2, 2, 2]", GOLD).value == 0.5


def test_the_aggregate_counts_pages_not_documents() -> None:
    scores = [METRIC.score("[1]", ["[1]"]), METRIC.missing(["[1, 2, 3]"])]
    assert aggregate(METRIC, scores) == 0.25


def test_a_reference_without_numbers_is_undefined() -> None:
    assert METRIC.score("1", ["none"]).flag == "invalid_reference"
    assert METRIC.missing([]).flag == "no_reference"
