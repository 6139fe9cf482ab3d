"""The estimate: exact where every answer costs the same, wide where little is known, by the rule that it states."""

from __future__ import annotations

import pytest
from vlmhb.pricing.estimate import Asked, Used, cost_of, from_answers, from_inputs
from vlmhb_stages.specs import Price

PRICE = Price(input=2.0, output=8.0, cached_input=0.5, image_input=3.0, per_request=0.001, per_image=0.01)


def test_a_recorded_answer_costs_what_its_parts_cost() -> None:
    used = Used(input_tokens=1000, output_tokens=100, cached_tokens=200, image_tokens=300, images=2)
    expected = (500 * 2.0 + 200 * 0.5 + 300 * 3.0 + 100 * 8.0) / 1e6 + 0.001 + 0.02
    assert cost_of(used, PRICE) == pytest.approx(expected)
    assert cost_of(used, Price(input=2.0)) == pytest.approx(0.002)


def test_answers_that_all_cost_the_same_leave_no_doubt() -> None:
    same = [Used(input_tokens=500_000, output_tokens=0)] * 10
    found = from_answers(same, samples=30, price=Price(input=2.0))
    assert (found.low, found.high) == pytest.approx((30.0, 30.0))


def test_the_range_is_two_standard_errors_of_the_sum() -> None:
    answers = [Used(input_tokens=count * 1_000_000, output_tokens=0) for count in (1, 2, 3)]
    found = from_answers(answers, samples=3, price=Price(input=1.0))
    error = (1.0 * 3 * 2) ** 0.5  # variance 1, three more samples after three
    assert (found.low, found.high) == pytest.approx((6 - 2 * error, 6 + 2 * error))
    one = from_answers(answers[:1], samples=4, price=Price(input=1.0))
    assert (one.low, one.high) == pytest.approx((2.0, 6.0))


def test_inputs_alone_are_counted_by_the_rule() -> None:
    asked = [Asked(characters=300, pixels=(784 * 1000,), reference=50)]
    found = from_inputs(asked, samples=2, price=Price(input=1e6, output=1e6), max_tokens=100)
    assert found.low == pytest.approx(2 * (60 + 784 * 1000 / 1500 + 10))
    assert found.high == pytest.approx(2 * (200 + 1000 + 100))
    tiny = from_inputs([Asked(characters=0, pixels=(10,))], samples=1, price=Price(input=1e6), max_tokens=1)
    assert tiny.low == 85
    huge = from_inputs(
        [Asked(characters=0, pixels=(10**8,))], samples=1, price=Price(input=1e6), max_tokens=1
    )
    assert huge.low == 1100 and huge.high == pytest.approx(10**8 / 784)
