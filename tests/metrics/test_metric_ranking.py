"""Page orders: equal to scipy on permutations, partial credit, and the prototype's numbers with its slips."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr
from vlmhb_benchmarks.metrics import get_metric
from vlmhb_benchmarks.metrics.ranking.orders import read_order

law = settings(deadline=None, max_examples=60, derandomize=True)
ORDER = st.integers(2, 9).flatmap(lambda count: st.permutations(range(1, count + 1)))


def value(name: str, answer: list[int], gold: list[int]) -> float | None:
    return get_metric(name).score(str(answer), [str(gold)]).value


@law
@given(order=ORDER)
def test_equal_to_scipy_over_positions(order: list[int]) -> None:
    answer = sorted(order, key=lambda page: (page * 7919 + len(order)) % 11)
    places = [answer.index(page) for page in order]
    assert value("kendall_tau", answer, order) == pytest.approx(
        kendalltau(range(len(order)), places).statistic
    )
    assert value("spearman_rho", answer, order) == pytest.approx(
        spearmanr(range(len(order)), places).statistic
    )


@law
@given(order=ORDER)
def test_reversal_is_the_worst_and_itself_the_best(order: list[int]) -> None:
    for name in ("kendall_tau", "spearman_rho"):
        assert value(name, order, order) == pytest.approx(1.0)
        assert value(name, order[::-1], order) == pytest.approx(-1.0)


def test_the_prototype_correlates_labels() -> None:
    """Its rho differs from the positional one for 328 of the 576 pairs of 4-page orders."""
    orders = [list(order) for order in permutations(range(1, 5))]
    pairs = [
        (value("spearman_rho", one, two), value("spearman_rho_upstream", one, two))
        for one in orders
        for two in orders
    ]
    assert len(pairs) == 576
    assert sum(abs((ours or 0.0) - (theirs or 0.0)) > 1e-3 for ours, theirs in pairs) == 328


@pytest.mark.parametrize("name", ["kendall_tau_upstream", "spearman_rho_upstream", "page_accuracy_upstream"])
@pytest.mark.parametrize("answer", [[1, 2, 3], [1, 2, 3, 5], [1, 2, 3, 4, 5], [1, 1, 2, 3]])
def test_the_prototype_gives_nothing_for_other_pages(name: str, answer: list[int]) -> None:
    assert value(name, answer, [1, 2, 3, 4]) == 0.0


def test_four_digits_as_in_the_prototype() -> None:
    assert value("kendall_tau_upstream", [2, 1, 3], [1, 2, 3]) == 0.3333
    assert value("kendall_tau", [2, 1, 3], [1, 2, 3]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "name", ["kendall_tau", "spearman_rho", "kendall_tau_upstream", "spearman_rho_upstream"]
)
def test_one_page_has_no_order(name: str) -> None:
    metric = get_metric(name)
    for found in (metric.score("[1]", ["[1]"]), metric.missing(["[1]"])):
        assert (found.value, found.flag) == (None, "empty_reference")


def test_a_missing_page_costs_its_pairs() -> None:
    assert value("kendall_tau", [1, 2, 3], [1, 2, 3, 4]) == pytest.approx(0.5)  # 3 of 6 pairs, all right
    assert value("page_accuracy", [1, 2, 3], [1, 2, 3, 4]) == pytest.approx(0.75)
    assert value("page_accuracy", [1, 2, 3, 4, 5], [1, 2, 3, 4]) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ('{"ordered_pages": [3, 1, 2]}', (3, 1, 2)),
        ('Here: ```json\n{"ordered_pages": ["3", "1"]}\n```', (3, 1)),
        ("[2, 1]", (2, 1)),
        ("I think [2, 1] or [1, 2]", (2, 1)),
        ("2 -> 1 -> 3", (2, 1, 3)),
        ('{"fields": {"act": [1, 0]}, "index": 7}', (1, 0)),
        ("1.5 and 2", (2,)),
        ("", None),
        ("none", None),
        ("9" * 5_000, None),
        ("1 " * 200_000, None),
    ],
)
def test_reading(text: str, order: tuple[int, ...] | None) -> None:
    assert read_order(text) == order


def test_flags() -> None:
    metric = get_metric("kendall_tau")
    assert metric.score("?", ["[1, 2]"]).flag == "invalid_structure"
    assert metric.score("[1, 2]", ["?"]).flag == "invalid_reference"
    assert metric.score("[1, 2]", ["[1, 1]"]).flag == "invalid_reference"
    assert metric.score("[1, 2]", []).flag == "no_reference"
    assert metric.missing(["[1, 2]"]).value == 0.0


@pytest.mark.parametrize("name", ["kendall_tau", "spearman_rho"])
@pytest.mark.parametrize("pages", range(2, 40))
def test_the_right_order_is_exactly_one(name: str, pages: int) -> None:
    order = list(range(1, pages + 1))
    assert (value(name, order, order), value(name, order[::-1], order)) == (1.0, -1.0)
