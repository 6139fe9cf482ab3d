"""The bootstrap is deterministic, bounded in memory and has about the right width."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from vlmhb_benchmarks.metrics import bootstrap
from vlmhb_benchmarks.metrics.bootstrap import percentile_interval, resampled_totals


def bernoulli(n: int, share: float) -> bootstrap.Floats:
    right = np.zeros(n)
    right[: int(n * share)] = 1.0
    return np.column_stack([right, np.ones(n)])


def test_same_seed_same_draws() -> None:
    parts = bernoulli(50, 0.3)
    first = resampled_totals(parts, draws=200, seed=(7, 1))
    assert np.array_equal(first, resampled_totals(parts, draws=200, seed=(7, 1)))
    assert not np.array_equal(first, resampled_totals(parts, draws=200, seed=(8, 1)))


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = bernoulli(50, 0.3)
    whole = resampled_totals(parts, draws=100, seed=(1,))
    monkeypatch.setattr(bootstrap, "_CELLS", 170)
    assert np.array_equal(whole, resampled_totals(parts, draws=100, seed=(1,)))


def test_each_draw_has_as_many_samples_as_the_set() -> None:
    totals = resampled_totals(bernoulli(37, 0.5), draws=64, seed=(3,))
    assert totals.shape == (64, 2)
    assert set(totals[:, 1]) == {37.0}


def test_width_agrees_with_the_normal_approximation() -> None:
    totals = resampled_totals(bernoulli(400, 0.5), draws=1000, seed=(5,))
    interval = percentile_interval((totals[:, 0] / totals[:, 1]).tolist())
    assert interval is not None
    half = 1.96 * (0.25 / 400) ** 0.5
    assert interval.low == pytest.approx(0.5 - half, abs=0.012)
    assert interval.high == pytest.approx(0.5 + half, abs=0.012)


def test_undefined_draws_are_left_out() -> None:
    assert percentile_interval([None, 0.5]) is None
    interval = percentile_interval([None, 0.5, 0.5])
    assert interval is not None
    assert (interval.low, interval.high) == (0.5, 0.5)


def test_memory_does_not_grow_with_the_draws() -> None:
    parts = bernoulli(20_000, 0.5)
    tracemalloc.start()
    resampled_totals(parts, draws=1000, seed=(1,))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120e6  # 1000 x 20,000 indices at once would take 160 MB, their counts as much again
