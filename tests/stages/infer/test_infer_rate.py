"""The sliding window of a rate limit: nothing passes that should not, and nothing waits that need not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vlmhb_stages.infer.rate import RateWindow
from vlmhb_stages.specs import RateLimit


def window(requests: float | None = None, tokens: float | None = None) -> RateWindow:
    return RateWindow(RateLimit(requests_per_minute=requests, tokens_per_minute=tokens))


def test_without_a_limit_nothing_waits() -> None:
    free = window()
    for _ in range(1000):
        assert free.wait_s(now=0.0, tokens=1e9) == 0.0
        free.take(now=0.0, tokens=1e9)


def test_requests_of_the_last_minute_count() -> None:
    two = window(requests=2)
    two.take(now=0.0, tokens=0)
    two.take(now=10.0, tokens=0)
    assert two.wait_s(now=20.0, tokens=0) == 40.0
    assert two.wait_s(now=60.0, tokens=0) == 0.0
    two.take(now=60.0, tokens=0)
    assert two.wait_s(now=60.0, tokens=0) == 10.0


def test_less_than_one_request_in_a_minute() -> None:
    half = window(requests=0.5)
    half.take(now=0.0, tokens=0)
    assert half.wait_s(now=60.0, tokens=0) == 60.0


def test_tokens_are_corrected_by_what_was_used() -> None:
    limited = window(tokens=1000)
    first = limited.take(now=0.0, tokens=900)
    assert limited.wait_s(now=1.0, tokens=200) == 59.0
    limited.correct(first, tokens=300)
    assert limited.wait_s(now=1.0, tokens=200) == 0.0
    limited.correct(first, tokens=900)
    assert limited.wait_s(now=1.0, tokens=200) == 59.0


def test_a_correction_that_comes_too_late_changes_nothing() -> None:
    limited = window(tokens=1000)
    first = limited.take(now=0.0, tokens=900)
    limited.take(now=61.0, tokens=900)
    limited.correct(first, tokens=1)
    assert limited.wait_s(now=62.0, tokens=200) == 59.0


def test_a_request_larger_than_the_limit_goes_alone() -> None:
    limited = window(tokens=1000)
    assert limited.wait_s(now=0.0, tokens=5000) == 0.0
    limited.take(now=0.0, tokens=5000)
    assert limited.wait_s(now=30.0, tokens=1) == 30.0
    assert limited.wait_s(now=60.0, tokens=5000) == 0.0


@given(
    arrivals=st.lists(
        st.tuples(st.floats(0, 30), st.integers(1, 60), st.integers(0, 60)), min_size=1, max_size=80
    ),
    requests=st.integers(1, 10),
    tokens=st.integers(20, 100),
)
def test_no_sixty_seconds_hold_more_than_the_limit(
    arrivals: list[tuple[float, int, int]], requests: int, tokens: int
) -> None:
    """Each request waits as long as it is told, and uses at most what was estimated."""
    limited = window(requests=requests, tokens=tokens)
    now, sent = 0.0, []
    for pause, estimate, used in arrivals:
        now += pause
        while (wait := limited.wait_s(now=now, tokens=estimate)) > 0:
            now += max(wait, 1e-3)
        entry = limited.take(now=now, tokens=estimate)
        sent.append([now, min(estimate, tokens)])
        if used <= estimate:
            limited.correct(entry, tokens=used)
            sent[-1][1] = min(used, tokens)
    for start, _ in sent:
        inside = [item for item in sent if start <= item[0] < start + 60]
        assert len(inside) <= requests
        assert sum(item[1] for item in inside) <= tokens


@pytest.mark.parametrize("requests", [1, 3, 7])
def test_it_lets_as_many_pass_as_it_may(requests: int) -> None:
    limited, now, passed = window(requests=requests), 0.0, 0
    while now < 600:
        wait = limited.wait_s(now=now, tokens=0)
        if wait:
            now += wait
        else:
            limited.take(now=now, tokens=0)
            passed += 1
    assert passed == requests * 10
