"""Seeded percentile bootstrap over samples: exact resampling with replacement, in bounded memory and little time.

Whatever way a set is resampled in, the counts of its samples are one multinomial draw; the way depends on the
data only, so a seed gives the same numbers on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_CELLS = 2_000_000  # numbers held at once: 16 MB
_DIGITS = 9  # far above the resampling noise, and above what summation order can change
_LEVEL = 95.0
_LARGE = 8192  # samples; from here on a draw is worth a loop of its own
_MULTINOMIAL = 50  # a binomial deviate costs about as much as this many picks
_BLOCK = 1 << 16  # samples whose number fits 16 random bits
_PICKS = 1 << 15  # made at once: they and their values stay in the processor's cache


@dataclass(frozen=True, kw_only=True)
class Interval:
    low: float
    high: float


def resampled_totals(parts: Floats, *, draws: int, seed: tuple[int, ...]) -> Floats:
    """Column sums of `draws` resamples with replacement: (n, k) parts -> (draws, k) totals.

    All columns see the same resamples."""
    count = parts.shape[0]
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed)))
    totals = np.tile(parts[0] * count, (draws, 1))
    varying = np.flatnonzero((parts != parts[0]).any(axis=0))
    if not len(varying):
        return totals
    table = np.ascontiguousarray(parts[:, varying])
    rows, counts = distinct_rows(table)
    if len(rows) * _MULTINOMIAL < count:
        totals[:, varying] = _by_value(rng, rows, counts=counts, draws=draws)
    elif count < _LARGE:
        totals[:, varying] = _by_index(rng, table, draws=draws)
    else:
        totals[:, varying] = _by_block(rng, table, draws=draws)
    return totals


def percentile_interval(values: Iterable[float | None] | Floats) -> Interval | None:
    """The central 95 % of the defined values (neither None nor NaN); None where fewer than two are."""
    given = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    defined = given[~np.isnan(given)]
    if len(defined) < 2:
        return None
    tail = (100.0 - _LEVEL) / 2
    low, high = np.percentile(defined, [tail, 100.0 - tail])
    return Interval(low=round(float(low), _DIGITS), high=round(float(high), _DIGITS))


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Rows `start` to `start + 2**bits` of a table, each column by itself."""

    columns: tuple[Floats, ...]
    bits: int


def distinct_rows(table: Floats) -> tuple[Floats, Integers]:
    """The different rows in lexical order, and how often each is there."""
    order = np.lexsort(table.T[::-1])
    ordered = table[order]
    is_new = np.ones(len(table), dtype=bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    starts = np.flatnonzero(is_new)
    return ordered[starts], np.diff(np.append(starts, len(table)))


def _by_value(rng: np.random.Generator, rows: Floats, *, counts: Integers, draws: int) -> Floats:
    """Draws how often each different row comes: one multinomial deviate a draw."""
    count = int(counts.sum())
    chunk = max(1, _CELLS // len(rows))
    found = [
        rng.multinomial(count, counts / count, size=min(chunk, draws - start)) @ rows
        for start in range(0, draws, chunk)
    ]
    return np.concatenate(found)


def _by_index(rng: np.random.Generator, table: Floats, *, draws: int) -> Floats:
    """Picks samples for many draws at once."""
    count = len(table)
    chunk = max(1, _CELLS // (count * table.shape[1]))
    found = []
    for start in range(0, draws, chunk):
        picks = rng.integers(0, count, size=(min(chunk, draws - start), count))
        found.append(np.column_stack([column.take(picks).sum(axis=1) for column in table.T]))
    return np.concatenate(found)


def _by_block(rng: np.random.Generator, table: Floats, *, draws: int) -> Floats:
    """How many picks fall into each block of 2**k samples, then which: k random bits a pick, none thrown away."""
    blocks = list(_blocks(table))
    shares = np.array([1 << block.bits for block in blocks]) / len(table)
    totals = np.zeros((draws, table.shape[1]))
    picks, values = np.empty(_PICKS, dtype=np.int64), np.empty(_PICKS)
    for draw, sizes in enumerate(rng.multinomial(len(table), shares, size=draws).tolist()):
        for block, size in zip(blocks, sizes, strict=True):
            for start in range(0, size, _PICKS):
                chosen = picks[: min(_PICKS, size - start)]
                _fill(rng, chosen, bits=block.bits)
                out = values[: len(chosen)]
                for place, column in enumerate(block.columns):
                    column.take(chosen, out=out, mode="clip")  # any other mode makes a copy first
                    totals[draw, place] += out.sum()
    return totals


def _blocks(table: Floats) -> Iterator[_Block]:
    """Whole blocks of 2**16 rows, then one for every bit of the rest."""
    start, count = 0, len(table)
    while start < count:
        bits = min(_BLOCK.bit_length(), (count - start).bit_length()) - 1
        rows = table[start : start + (1 << bits)]
        yield _Block(columns=tuple(np.ascontiguousarray(column) for column in rows.T), bits=bits)
        start += 1 << bits


def _fill(rng: np.random.Generator, picks: Integers, *, bits: int) -> None:
    """Random numbers below 2**bits, four from each 64 random bits (little-endian on every machine)."""
    words = rng.bit_generator.random_raw(-(-len(picks) // 4)).astype("<u8", copy=False)
    np.bitwise_and(words.view("<u2")[: len(picks)], np.uint16((1 << bits) - 1), out=picks)
