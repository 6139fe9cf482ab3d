"""The additive parts of every sample under every metric, kept as flat arrays: what aggregates are made of."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vlmhb_stages.evaluate.judge import Judged

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]


class Column:
    """Parts of one metric. Samples where it is undefined have none."""

    def __init__(self) -> None:
        self._positions = array("q")
        self._data = array("d")
        self._width = 0

    def add(self, position: int, parts: Sequence[float] | None) -> None:
        if parts is not None:
            self._positions.append(position)
            self._data.extend(parts)
            self._width = len(parts)

    def freeze(self, count: int) -> Parts:
        values = np.zeros((count, self._width))
        defined = np.zeros(count, dtype=bool)
        if self._width:
            positions = np.array(self._positions)
            values[positions] = np.array(self._data).reshape(-1, self._width)
            defined[positions] = True
        return Parts(values=values, defined=defined)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """(samples, width) values, zero where not `defined`."""

    values: Floats
    defined: Any

    def totals(self, positions: Positions) -> tuple[float, ...] | None:
        """Correctly rounded sums over the defined samples among `positions`; None if there are none."""
        chosen = positions[self.defined[positions]]
        if not len(chosen):
            return None
        return tuple(math.fsum(column) for column in self.values[chosen].T.tolist())

    def count(self, positions: Positions) -> int:
        return int(self.defined[positions].sum())


@dataclass(frozen=True, kw_only=True)
class SliceKey:
    key: str
    value: str


class ScoreTable:
    """Filled sample by sample in planned order, then frozen."""

    def __init__(self, *, metrics: int, slice_keys: Iterable[str]) -> None:
        self._columns = [Column() for _ in range(metrics)]
        self._slice_keys = tuple(dict.fromkeys(slice_keys))
        self._slices: dict[SliceKey, Any] = {}
        self._answered = array("b")

    def add(self, judged: Judged) -> None:
        position = len(self._answered)
        self._answered.append(judged.answered)
        for column, score in zip(self._columns, judged.scores, strict=True):
            column.add(position, score.parts)
        for key in self._slice_keys:
            if value := judged.sample.metadata.get(key):
                self._slices.setdefault(SliceKey(key=key, value=value), array("q")).append(position)

    def freeze(self) -> FrozenTable:
        count = len(self._answered)
        order = {key: rank for rank, key in enumerate(self._slice_keys)}
        slices = sorted(self._slices.items(), key=lambda item: (order[item[0].key], item[0].value))
        return FrozenTable(
            columns=tuple(column.freeze(count) for column in self._columns),
            answered=np.array(self._answered, dtype=bool),
            slices={key: np.array(positions) for key, positions in slices},
        )


@dataclass(frozen=True, kw_only=True)
class FrozenTable:
    """Slices are in the order of the slice keys, then by value (code points)."""

    columns: tuple[Parts, ...]
    answered: Any
    slices: dict[SliceKey, Positions]

    @property
    def everything(self) -> Positions:
        return np.arange(len(self.answered))
