"""Paired tests between two evaluations, against scipy and published values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_rel
from vlmhb_benchmarks.metrics.base import ratio
from vlmhb_benchmarks.metrics.bootstrap import Floats
from vlmhb_benchmarks.metrics.paired import compare, holm, mcnemar


def parts(values: list[float]) -> Floats:
    """Of a mean; NaN is undefined."""
    column = np.array(values)
    return np.column_stack([column, np.where(np.isnan(column), np.nan, 1.0)])


def split(only_first: int, only_second: int, both: int = 3) -> tuple[Floats, Floats]:
    first = [1.0] * only_first + [0.0] * only_second + [1.0] * both
    second = [0.0] * only_first + [1.0] * only_second + [1.0] * both
    return np.array(first), np.array(second)


@pytest.mark.parametrize(
    ("only_first", "only_second"),
    [(0, 1), (1, 7), (5, 5), (0, 12), (37, 61), (400, 300), (2500, 2400), (60_000, 59_500)],
)
def test_mcnemar_is_scipys_binomial_test(only_first: int, only_second: int) -> None:
    found = mcnemar(*split(only_first, only_second))
    expected = binomtest(only_first, only_first + only_second, 0.5).pvalue
    assert found.p_value == pytest.approx(expected, rel=1e-8)
    assert (found.only_first, found.only_second) == (only_first, only_second)


def test_mcnemar_published_values() -> None:
    """Airway hyper-responsiveness, 1 against 7 discordant pairs: Fagerland et al. 2013, tables 1 and 7."""
    exact, mid = mcnemar(*split(1, 7, both=13)), mcnemar(*split(1, 7, both=13), mid_p=True)
    assert exact.p_value == pytest.approx(0.0703125)
    assert mid.p_value == pytest.approx(0.0390625)
    assert exact.n == 21


def test_mcnemar_even_split_and_no_difference() -> None:
    assert mcnemar(*split(5, 5)).p_value == 1.0
    assert mcnemar(*split(5, 5), mid_p=True).p_value == pytest.approx(1 - math.comb(10, 5) / 2**11)
    assert mcnemar(*split(0, 0)).p_value == 1.0


def test_mcnemar_leaves_undefined_out_and_refuses_other_values() -> None:
    first, second = np.array([1.0, math.nan, 0.0]), np.array([0.0, 1.0, math.nan])
    found = mcnemar(first, second)
    assert (found.n, found.left_out, found.only_first) == (1, 2, 1)
    with pytest.raises(ValueError, match="0 and 1"):
        mcnemar(np.array([0.5]), np.array([1.0]))


def test_holm() -> None:
    """The example of Holm's step-down rule in R's p.adjust documentation style: computed by hand."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.6, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()


def test_difference_is_second_minus_first() -> None:
    found = compare(parts([0.0, 1.0, 0.0]), parts([1.0, 1.0, 0.0]), from_totals=ratio)
    assert found.difference == pytest.approx(1 / 3)
    assert (found.n, found.left_out) == (3, 0)


def test_pooled_rates_are_compared_as_rates() -> None:
    """Edits and lengths: 1/12 against 5/12, not the mean of the samples' rates."""
    first, second = np.array([[1.0, 10.0], [0.0, 2.0]]), np.array([[4.0, 10.0], [1.0, 2.0]])
    assert compare(first, second, from_totals=ratio).difference == pytest.approx(4 / 12)


def test_p_value_is_about_that_of_a_paired_t_test() -> None:
    rng = np.random.default_rng(3)
    first = rng.normal(0.5, 0.2, 400)
    second = first + rng.normal(0.012, 0.1, 400)
    found = compare(parts(first.tolist()), parts(second.tolist()), from_totals=ratio)
    expected = ttest_rel(second, first)
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.01)
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(low, abs=0.001), pytest.approx(high, abs=0.001))


def test_pairing_sees_what_two_intervals_do_not() -> None:
    """Both right or wrong together on nearly all: the difference is certain though each score is not."""
    rng = np.random.default_rng(5)
    first = (rng.random(1000) < 0.5).astype(float)
    second = first.copy()
    second[np.flatnonzero(first == 0)[:15]] = 1.0
    found = compare(parts(first.tolist()), parts(second.tolist()), from_totals=ratio)
    assert found.low is not None and found.low > 0
    assert found.p_value is not None and found.p_value < 0.001


def test_the_smallest_p_value_is_one_over_the_draws() -> None:
    zeros = parts([0.0] * 50)
    noisy = parts(np.random.default_rng(1).normal(5, 1, 50).tolist())
    assert compare(zeros, noisy, from_totals=ratio, draws=999).p_value == pytest.approx(1 / 1000)


@pytest.mark.parametrize(("n", "least"), [(1, 1.0), (2, 0.5), (5, 0.0625), (6, 0.03125)])
def test_few_samples_prove_little_however_often_they_are_drawn(n: int, least: float) -> None:
    assert compare(parts([0.0] * n), parts([1.0] * n), from_totals=ratio).p_value == least


def test_equal_evaluations() -> None:
    values = parts([0.1, 0.7, 0.3])
    found = compare(values, values, from_totals=ratio)
    assert (found.difference, found.p_value, found.low, found.high) == (0.0, 1.0, 0.0, 0.0)


def test_undefined_in_one_is_left_out_of_both() -> None:
    found = compare(parts([1.0, math.nan, 1.0]), parts([1.0, 0.0, math.nan]), from_totals=ratio)
    assert (found.difference, found.n, found.left_out) == (0.0, 1, 2)


def test_nothing_in_common() -> None:
    found = compare(parts([math.nan]), parts([1.0]), from_totals=ratio)
    assert (found.difference, found.p_value, found.n, found.left_out) == (None, None, 0, 1)
    assert compare(parts([]), parts([]), from_totals=ratio).difference is None


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="not the same samples"):
        compare(parts([1.0]), parts([1.0, 0.0]), from_totals=ratio)


def test_a_seed_repeats_the_draws() -> None:
    rng = np.random.default_rng(9)
    first, second = parts(rng.random(80).tolist()), parts(rng.random(80).tolist())
    one = compare(first, second, from_totals=ratio, draws=500, seed=4)
    assert one == compare(first, second, from_totals=ratio, draws=500, seed=4)
    assert one != compare(first, second, from_totals=ratio, draws=500, seed=5)
    assert one.difference == compare(first, second, from_totals=ratio, draws=500, seed=5).difference
