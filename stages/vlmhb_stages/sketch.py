"""A histogram of durations that merges exactly: quantiles of millions of gaps from a few hundred counters.

Bucket i holds the values in (GAMMA^(i-1), GAMMA^i] seconds, so that every value is known within `RELATIVE_ERROR`
(Masson, Rim, Lee: DDSketch, VLDB 2019, eq. 1-3; without its collapsing: the range of durations is bounded here).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

RELATIVE_ERROR = 0.005
SHORTEST_S = 1e-6  # what is shorter counts as 0: no clock here resolves it
LONGEST_S = 1e7

GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(GAMMA)
_ZERO = "zero"


class Sketch:
    """Counts of durations in seconds. Merging is associative and commutative, and loses nothing."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._zeros = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        raise TypeError("a sketch changes: it cannot be a key")

    @property
    def count(self) -> int:
        return self._buckets.total() + self._zeros

    def add(self, value_s: float, count: int = 1) -> None:
        """Raises `ValueError` for a negative, endless or undefined duration and for a negative count."""
        if not 0 <= value_s <= LONGEST_S or count < 0:
            raise ValueError(f"no duration: {value_s} s, {count} times")
        if count == 0:
            return
        if value_s < SHORTEST_S:
            self._zeros += count
        else:
            self._buckets[math.ceil(math.log(value_s) / _LOG_GAMMA)] += count

    def merge(self, other: Sketch) -> None:
        """Adds what the other one counted."""
        self._buckets.update(other._buckets)
        self._zeros += other._zeros

    def quantile(self, p: float) -> float | None:
        """The nearest-rank quantile (rank ceil(count p)), p in 0..1; None when nothing was counted."""
        if not 0 <= p <= 1:
            raise ValueError(f"{p} is not between 0 and 1")
        if self.count == 0:
            return None
        rank = max(1, math.ceil(round(self.count * p, 9)))  # rounded: 0.07 * 100 is 7.000000000000001
        below = self._zeros
        if rank <= below:
            return 0.0
        for bucket in sorted(self._buckets):
            below += self._buckets[bucket]
            if rank <= below:
                return _middle(bucket)
        raise RuntimeError("a rank beyond the count")

    def to_dict(self) -> dict[str, int]:
        """For JSON: counts by bucket number, in ascending order."""
        zeros = {_ZERO: self._zeros} if self._zeros else {}
        return zeros | {str(bucket): self._buckets[bucket] for bucket in sorted(self._buckets)}

    @staticmethod
    def from_dict(counts: Mapping[str, int]) -> Sketch:
        """Raises `ValueError` for what `to_dict` cannot have written."""
        sketch = Sketch()
        for key, count in counts.items():
            if count < 0:
                raise ValueError(f"bucket {key}: a count of {count}")
            if key == _ZERO:
                sketch._zeros += count
            elif _LOWEST <= int(key) <= _HIGHEST:
                sketch._buckets[int(key)] += count
            else:
                raise ValueError(f"bucket {key}: no duration is there")
        return sketch


_LOWEST = math.ceil(math.log(SHORTEST_S) / _LOG_GAMMA)
_HIGHEST = math.ceil(math.log(LONGEST_S) / _LOG_GAMMA)


def _middle(bucket: int) -> float:
    """The value whose relative distance to both ends of the bucket is the same."""
    return float(2 * GAMMA**bucket / (GAMMA + 1))
