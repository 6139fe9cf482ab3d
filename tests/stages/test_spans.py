"""Stretches of time become few spans, in whatever order they come."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from vlmhb_stages.spans import PAUSE_S, Spans

stretches = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 30)), max_size=40)


def spans_of(found: list[tuple[int, int]]) -> Spans:
    spans = Spans()
    for start, length in found:
        spans.add(float(start), float(start + length))
    return spans


@given(found=stretches)
def test_the_order_does_not_matter_and_spans_lie_apart(found: list[tuple[int, int]]) -> None:
    spans = spans_of(found).spans
    assert spans == spans_of(sorted(found)).spans == spans_of(found[::-1]).spans
    assert all(later[0] - earlier[1] > PAUSE_S for earlier, later in pairwise(spans))
    covered = [any(s <= start and start + length <= e for s, e in spans) for start, length in found]
    assert all(covered)


def test_a_short_pause_belongs_to_the_work_and_a_long_one_does_not() -> None:
    spans = spans_of([(0, 4), (8, 2), (100, 1)])
    assert spans.spans == ((0.0, 10.0), (100.0, 101.0))
    assert spans.seconds == 11.0


def test_earlier_spans_are_carried_on() -> None:
    spans = Spans([(0.0, 4.0), (50.0, 51.0)])
    spans.add(5.0, 6.0)
    assert spans.spans == ((0.0, 6.0), (50.0, 51.0))
