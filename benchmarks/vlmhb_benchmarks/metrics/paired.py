"""Tests whether two evaluations of the same samples differ: paired bootstrap, exact McNemar, Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vlmhb_benchmarks.metrics.bootstrap import Floats, percentile_interval, resampled_totals

DRAWS = 10_000
_EXACT = 4096  # discordant samples; beyond, the binomial tail is summed in floating point
_SAME = 1e-12  # relative; differences of equal sums in another order


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`difference` is second minus first, with its central 95 % interval; None where nothing is defined in both.

    `n` samples were compared; `left_out` are defined in one evaluation only."""

    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    n: int
    left_out: int


@dataclass(frozen=True, kw_only=True)
class McNemar:
    """`only_first`, `only_second`: samples that only one of the two got right."""

    only_first: int
    only_second: int
    p_value: float
    n: int
    left_out: int


def compare(
    first: Floats,
    second: Floats,
    *,
    from_totals: Callable[[Sequence[float]], float | None],
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Paired bootstrap over parts (n, width) of the same samples, NaN rows where undefined.

    Both see the same resamples. Two-sided p-value (r + 1) / (draws + 1), where r draws lie at least as far from
    the difference as that lies from 0 (the resampled differences shifted to the null hypothesis;
    Davison & Hinkley 1997, section 4.4), but not below 2 / 2**n, the least that an exact test of n signs can
    give: few samples resampled often are still few. Raises ValueError for evaluations of different shape."""
    pairs = _paired(first, second)
    width = first.shape[1]
    sums = [math.fsum(column) for column in pairs.rows.T.tolist()]  # as metrics.json sums
    observed = _difference(sums, width=width, from_totals=from_totals) if pairs.n else None
    if observed is None:
        return Comparison(
            difference=None, low=None, high=None, p_value=None, n=pairs.n, left_out=pairs.left_out
        )
    totals = resampled_totals(pairs.rows, draws=draws, seed=(seed % 2**32,))
    found = [_difference(row, width=width, from_totals=from_totals) for row in totals.tolist()]
    resampled = np.array([value for value in found if value is not None])
    far = abs(observed) * (1 - _SAME)
    beyond = int((np.abs(resampled - observed) >= far).sum())
    interval = percentile_interval(resampled)
    return Comparison(
        difference=observed,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        p_value=max((beyond + 1) / (len(resampled) + 1), min(1.0, 2.0 ** (1 - pairs.n))),
        n=pairs.n,
        left_out=pairs.left_out,
    )


def mcnemar(first: Floats, second: Floats, *, mid_p: bool = False) -> McNemar:
    """Exact two-sided test over values (n,) of 0 and 1, NaN where undefined (McNemar 1947).

    The discordant samples are binomial with 1/2. `mid_p` takes half the probability of the observed split away
    at each end: less conservative (Fagerland et al. 2013, 10.1186/1471-2288-13-91)."""
    pairs = _paired(first.reshape(-1, 1), second.reshape(-1, 1))
    if not np.isin(pairs.rows, (0.0, 1.0)).all():
        raise ValueError("McNemar's test is for values of 0 and 1")
    right = pairs.rows.astype(bool)
    only_first = int((right[:, 0] & ~right[:, 1]).sum())
    only_second = int((right[:, 1] & ~right[:, 0]).sum())
    return McNemar(
        only_first=only_first,
        only_second=only_second,
        p_value=_two_sided(only_first, only_second, mid_p=mid_p),
        n=pairs.n,
        left_out=pairs.left_out,
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values in the given order: the family-wise error of all tests together (Holm 1979)."""
    count = len(p_values)
    adjusted = [0.0] * count
    highest = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = highest
    return tuple(adjusted)


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    """Rows of the samples that are defined in both: the parts of the first, then those of the second."""

    rows: Floats
    n: int
    left_out: int


def _paired(first: Floats, second: Floats) -> _Pairs:
    if first.shape != second.shape:
        raise ValueError(f"not the same samples and metric: {first.shape} and {second.shape}")
    absent = [np.isnan(parts).any(axis=1) for parts in (first, second)]
    both = ~absent[0] & ~absent[1]
    rows = np.column_stack([first[both], second[both]])
    return _Pairs(rows=rows, n=len(rows), left_out=int((absent[0] ^ absent[1]).sum()))


def _difference(
    totals: Sequence[float], *, width: int, from_totals: Callable[[Sequence[float]], float | None]
) -> float | None:
    first, second = from_totals(totals[:width]), from_totals(totals[width:])
    return None if first is None or second is None else second - first


def _two_sided(few: int, many: int, *, mid_p: bool) -> float:
    """Of a split of `few + many` coin tosses. An even split has p-value 1, and a mid-p below it."""
    count, smaller = few + many, min(few, many)
    if not count:
        return 1.0
    chances = _chances(count, upto=smaller)
    p_value = min(1.0, 2.0 * math.fsum(chances))
    if not mid_p:
        return p_value
    return p_value - (chances[-1] / 2.0 if few == many else chances[-1])


def _chances(count: int, *, upto: int) -> list[float]:
    """Probabilities of 0, 1 ... `upto` heads in `count` fair tosses."""
    if count <= _EXACT:
        ways, found = 1, []
        for heads in range(upto + 1):
            found.append(ways / 2**count)  # of integers: correctly rounded, and 0 where it is too small
            ways = ways * (count - heads) // (heads + 1)
        return found
    several = np.arange(upto + 1)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    logs = factorials[count] - factorials[several] - factorials[count - several] - count * math.log(2.0)
    chances: list[float] = np.exp(logs).tolist()
    return chances
