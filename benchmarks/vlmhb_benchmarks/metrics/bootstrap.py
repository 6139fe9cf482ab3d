"""Seeded percentile bootstrap over samples, for every metric at once, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_CELLS = 2_000_000  # indices held at once: 16 MB
_DIGITS = 9  # far above the resampling noise, and above what summation order can change
_LEVEL = 95.0


@dataclass(frozen=True, kw_only=True)
class Interval:
    low: float
    high: float


def resampled_totals(parts: Floats, *, draws: int, seed: tuple[int, ...]) -> Floats:
    """Column sums of `draws` resamples with replacement: (n, k) parts -> (draws, k) totals.

    All columns see the same resamples, so metrics of one run are comparable draw by draw."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    count = parts.shape[0]
    chunk = max(1, _CELLS // count)
    totals = [
        _weights(rng, count=count, rows=min(chunk, draws - start)) @ parts for start in range(0, draws, chunk)
    ]
    return np.concatenate(totals)


def percentile_interval(values: Iterable[float | None]) -> Interval | None:
    """The central 95 % of the defined values; None where fewer than two are."""
    defined = [value for value in values if value is not None]
    if len(defined) < 2:
        return None
    tail = (100.0 - _LEVEL) / 2
    low, high = np.percentile(np.array(defined), [tail, 100.0 - tail])
    return Interval(low=round(float(low), _DIGITS), high=round(float(high), _DIGITS))


def _weights(rng: np.random.Generator, *, count: int, rows: int) -> Any:
    """How often each sample is drawn: (rows, count)."""
    picks = rng.integers(0, count, size=(rows, count))
    picks += np.arange(rows, dtype=picks.dtype)[:, None] * count
    return np.bincount(picks.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)
