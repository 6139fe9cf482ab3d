"""The adaptive window: slow start, halving on refusals, easing on rising latency, and never above its ceiling."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from vlmhb_stages.infer.window import AdaptiveWindow, FixedWindow


def answer(window: AdaptiveWindow, times: int = 1, *, delay_s: float = 0.5) -> None:
    for _ in range(times):
        window.answered(round=window.round, in_flight=window.limit, delay_s=delay_s)


def grown(limit: int) -> AdaptiveWindow:
    window = AdaptiveWindow(64)
    answer(window, limit - 1)
    assert window.limit == limit
    return window


def test_a_fixed_window_learns_nothing() -> None:
    window = FixedWindow(8)
    window.refused(round=window.round)
    window.answered(round=window.round, in_flight=8, delay_s=99)
    assert window.limit == 8


def test_slow_start_doubles_with_every_round_trip() -> None:
    window, limits = AdaptiveWindow(64), [1]
    for _ in range(7):
        answer(window, window.limit)
        limits.append(window.limit)
    assert limits == [1, 2, 4, 8, 16, 32, 64, 64]


def test_a_refusal_halves_it_once_for_all_that_were_sent_together() -> None:
    window = grown(32)
    sent_in = window.round
    for _ in range(10):
        window.refused(round=sent_in)
    assert window.limit == 16
    window.refused(round=window.round)
    assert window.limit == 8


def test_after_a_refusal_it_grows_by_one_per_round_trip() -> None:
    window = grown(32)
    window.refused(round=window.round)
    for expected in (17, 18, 19):
        answer(window, window.limit)
        answer(window)  # the sum of n steps of 1/n stays a little under 1 while n grows
        assert window.limit == expected


def test_it_does_not_grow_while_it_is_not_filled() -> None:
    window = grown(8)
    for _ in range(100):
        window.answered(round=window.round, in_flight=7, delay_s=0.5)
    assert window.limit == 8


def test_it_eases_when_even_the_quickest_answers_become_slow() -> None:
    window = grown(16)
    answer(window, 16, delay_s=0.5)
    before = window.limit
    answer(window, before + 1, delay_s=1.6)
    assert window.limit < before


def test_one_slow_answer_among_quick_ones_is_no_sign() -> None:
    window = grown(16)
    for _ in range(20):
        answer(window, 1, delay_s=30.0)
        answer(window, 7, delay_s=0.5)
    assert window.limit == 64


def test_short_answers_may_vary() -> None:
    window = grown(16)
    answer(window, 40, delay_s=0.002)
    answer(window, 200, delay_s=0.09)
    assert window.limit == 64


def test_a_server_that_stays_slow_is_believed_in_the_end() -> None:
    window = grown(16)
    answer(window, 4000, delay_s=5.0)
    assert window.limit == 64


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.sampled_from(["answer", "refuse"]), st.floats(0.01, 100)), max_size=300),
)
def test_it_stays_between_one_and_its_ceiling(ceiling: int, events: list[tuple[str, float]]) -> None:
    window = AdaptiveWindow(ceiling)
    for kind, delay in events:
        if kind == "answer":
            window.answered(round=window.round, in_flight=window.limit, delay_s=delay)
        else:
            window.refused(round=window.round)
        assert 1 <= window.limit <= ceiling
