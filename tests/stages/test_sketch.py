"""The histogram of gaps: its promised error, and that merging and storing lose nothing."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vlmhb_stages.sketch import LONGEST_S, RELATIVE_ERROR, SHORTEST_S, Sketch

durations = st.floats(min_value=SHORTEST_S, max_value=LONGEST_S)
samples = st.lists(st.one_of(durations, st.just(0.0)), max_size=60)


def sketch_of(values: list[float]) -> Sketch:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch


@given(values=st.lists(durations, min_size=1, max_size=200), percent=st.integers(0, 100))
def test_a_quantile_is_within_its_relative_error_of_the_nearest_rank(
    values: list[float], percent: int
) -> None:
    truth = sorted(values)[max(-(-len(values) * percent // 100), 1) - 1]
    found = sketch_of(values).quantile(percent / 100)
    assert found is not None
    assert abs(found - truth) <= truth * RELATIVE_ERROR * (1 + 1e-6)


@given(a=samples, b=samples, c=samples)
def test_merging_is_associative_and_loses_nothing(a: list[float], b: list[float], c: list[float]) -> None:
    left, right = sketch_of(a), sketch_of(b)
    left.merge(sketch_of(b))
    left.merge(sketch_of(c))
    right.merge(sketch_of(c))
    other = sketch_of(a)
    other.merge(right)
    assert left == other == sketch_of([*c, *a, *b])
    assert left.count == len(a) + len(b) + len(c)


@given(values=samples)
def test_it_survives_json(values: list[float]) -> None:
    sketch = sketch_of(values)
    assert Sketch.from_dict(json.loads(json.dumps(sketch.to_dict()))) == sketch


def test_a_count_stands_for_as_many_values() -> None:
    sketch = Sketch()
    sketch.add(0.02, 5)
    sketch.add(0.5, 0)
    assert sketch == sketch_of([0.02] * 5)


def test_an_empty_one_has_no_quantile() -> None:
    assert Sketch().quantile(0.5) is None
    assert Sketch().to_dict() == {}


def test_what_is_too_short_to_measure_counts_as_zero() -> None:
    sketch = sketch_of([0.0, 1e-9, 0.1, 0.1])
    assert sketch.quantile(0.5) == 0.0
    assert sketch.quantile(0.75) == pytest.approx(0.1, rel=RELATIVE_ERROR)


def test_neighbouring_ranks_of_a_hundred_are_told_apart() -> None:
    sketch = sketch_of([1.0] * 7 + [100.0] * 93)
    assert sketch.quantile(0.07) == pytest.approx(1.0, rel=RELATIVE_ERROR)  # 100 * 0.07 is 7.000000000000001
    assert sketch.quantile(0.08) == pytest.approx(100.0, rel=RELATIVE_ERROR)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_what_is_no_duration_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="no duration"):
        Sketch().add(value)


@pytest.mark.parametrize("counts", [{"5": -1}, {"99999999": 1}, {"x": 1}])
def test_what_was_not_written_by_it_is_refused(counts: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        Sketch.from_dict(counts)
