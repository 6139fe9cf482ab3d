"""The bootstrap is exact in each of its ways, deterministic, and bounded in memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from vlmhb_benchmarks.metrics import bootstrap
from vlmhb_benchmarks.metrics.bootstrap import distinct_rows, percentile_interval, resampled_totals


def bernoulli(n: int, share: float) -> bootstrap.Floats:
    right = np.zeros(n)
    right[: int(n * share)] = 1.0
    return np.column_stack([right, np.ones(n)])


def real(n: int) -> bootstrap.Floats:
    """All different, with a column that tells the other way round."""
    values = np.random.default_rng(7).random(n)
    return np.column_stack([values, 1.0 - values])


# few values in many samples, few samples, many samples: by value, by index, by block
WAYS = {"value": bernoulli(5000, 0.3), "index": real(300), "block": real(20_011)}


@pytest.fixture(params=WAYS)
def parts(request: pytest.FixtureRequest) -> bootstrap.Floats:
    return WAYS[request.param]


@pytest.mark.parametrize(("way", "data"), WAYS.items())
def test_each_way_is_taken(way: str, data: bootstrap.Floats, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for name in WAYS:
        function = getattr(bootstrap, f"_by_{name}")
        monkeypatch.setattr(
            bootstrap,
            f"_by_{name}",
            lambda *args, _name=name, _f=function, **kw: taken.append(_name) or _f(*args, **kw),
        )
    resampled_totals(data, draws=3, seed=(1,))
    assert taken == [way]


def test_same_seed_same_draws(parts: bootstrap.Floats) -> None:
    first = resampled_totals(parts, draws=200, seed=(7, 1))
    assert np.array_equal(first, resampled_totals(parts, draws=200, seed=(7, 1)))
    assert not np.array_equal(first, resampled_totals(parts, draws=200, seed=(8, 1)))


def test_mean_and_variance_are_those_of_resampling(parts: bootstrap.Floats) -> None:
    """Of a sum of n picks: n times mean and variance of the data."""
    draws, count = 4000, len(parts)
    totals = resampled_totals(parts, draws=draws, seed=(3,))[:, 0]
    deviation = parts[:, 0].std() * count**0.5
    assert totals.mean() == pytest.approx(parts[:, 0].sum(), abs=4 * deviation / draws**0.5)
    assert totals.std() == pytest.approx(deviation, rel=4 / (2 * draws) ** 0.5)


def test_each_draw_has_as_many_samples_as_the_set(parts: bootstrap.Floats) -> None:
    """Both columns of every sample add up to a constant, so the draws tell their number of samples."""
    both = np.column_stack([parts[:, 0], 1.0 - parts[:, 0]])
    totals = resampled_totals(both, draws=64, seed=(3,))
    assert totals.sum(axis=1) == pytest.approx(len(parts))


def test_every_sample_is_drawn_equally_often() -> None:
    """In the block way, where samples lie in blocks of different size: by thirds, and the very last sample."""
    count = 20_011
    marks = np.zeros((count, 5))
    marks[:, 0] = np.random.default_rng(1).random(count)  # keeps the rows different
    for column, chosen in enumerate((slice(0, 8192), slice(8192, 16384), slice(16384, count)), start=1):
        marks[chosen, column] = 1.0
    marks[-1, 4] = 1.0
    draws = 3000
    shares = resampled_totals(marks, draws=draws, seed=(2,)).mean(axis=0) / count
    for column in range(1, 5):
        expected = marks[:, column].mean()
        error = (expected * (1 - expected) / (count * draws)) ** 0.5
        assert shares[column] == pytest.approx(expected, abs=4.5 * error)


@pytest.mark.parametrize("count", [8192, 65_536, 65_537, 200_003])
def test_blocks_cover_every_row_once(count: int) -> None:
    table = np.arange(float(count)).reshape(-1, 1)
    blocks = list(bootstrap._blocks(table))
    assert np.concatenate([block.columns[0] for block in blocks]).tolist() == table[:, 0].tolist()
    assert {len(block.columns[0]) for block in blocks} == {1 << block.bits for block in blocks}
    assert max(block.bits for block in blocks) <= 16


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    data = real(50)
    whole = resampled_totals(data, draws=100, seed=(1,))
    monkeypatch.setattr(bootstrap, "_CELLS", 170)
    assert np.array_equal(whole, resampled_totals(data, draws=100, seed=(1,)))


def test_constant_columns_are_exact() -> None:
    totals = resampled_totals(np.full((7, 2), 0.5), draws=5, seed=(1,))
    assert totals.tolist() == [[3.5, 3.5]] * 5


def test_distinct_rows() -> None:
    rows, counts = distinct_rows(np.array([[2.0, 1.0], [1.0, 9.0], [2.0, 1.0], [2.0, 0.0]]))
    assert rows.tolist() == [[1.0, 9.0], [2.0, 0.0], [2.0, 1.0]]
    assert counts.tolist() == [1, 1, 2]


def test_width_agrees_with_the_normal_approximation() -> None:
    totals = resampled_totals(bernoulli(400, 0.5), draws=1000, seed=(5,))
    interval = percentile_interval(totals[:, 0] / totals[:, 1])
    assert interval is not None
    half = 1.96 * (0.25 / 400) ** 0.5
    assert interval.low == pytest.approx(0.5 - half, abs=0.012)
    assert interval.high == pytest.approx(0.5 + half, abs=0.012)


def test_undefined_draws_are_left_out() -> None:
    assert percentile_interval([None, 0.5]) is None
    interval = percentile_interval([None, 0.5, 0.5, float("nan")])
    assert interval is not None
    assert (interval.low, interval.high) == (0.5, 0.5)


@pytest.mark.parametrize("data", [bernoulli(20_000, 0.5), real(20_000)], ids=["values", "blocks"])
def test_memory_does_not_grow_with_the_draws(data: bootstrap.Floats) -> None:
    tracemalloc.start()
    resampled_totals(data, draws=1000, seed=(1,))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6  # 1000 x 20,000 indices at once would take 160 MB
