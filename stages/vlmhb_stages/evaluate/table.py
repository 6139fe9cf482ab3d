"""The additive parts of every sample under every metric, as arrays: what aggregates are made of."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from vlmhb_benchmarks.metrics.batch import ScoreColumns

from vlmhb_stages.evaluate.judge import JudgedChunk

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """One metric: `values` (samples,) and `parts` (samples, width), NaN where it is undefined."""

    values: Floats
    parts: Floats

    def defined(self, positions: Positions) -> Positions:
        return positions[~np.isnan(self.values[positions])]

    def totals(self, positions: Positions) -> tuple[float, ...] | None:
        """Correctly rounded sums over the defined samples among `positions`; None if there are none."""
        chosen = self.defined(positions)
        if not len(chosen):
            return None
        return tuple(math.fsum(column) for column in self.parts[chosen].T.tolist())


class Column:
    """Grows chunk by chunk. `scored` beside `counted`: only where a gate makes them differ."""

    def __init__(self) -> None:
        self._values: list[Floats] = []
        self._parts: list[Floats] = []
        self._open: dict[int, ScoreColumns] = {}  # chunks as without the gate, by number

    def add(self, counted: ScoreColumns, *, scored: ScoreColumns) -> None:
        if scored is not counted:
            self._open[len(self._values)] = scored
        self._values.append(counted.values)
        self._parts.append(counted.parts)

    def freeze(self) -> Parts:
        return _joined(self._values, self._parts)

    def freeze_ungated(self) -> Parts | None:
        """None where every sample came through the gate: the same as `freeze`."""
        if not self._open:
            return None
        values, parts = list(self._values), list(self._parts)
        for number, columns in self._open.items():
            values[number], parts[number] = columns.values, columns.parts
        return _joined(values, parts)


def _joined(values: Sequence[Floats], parts: Sequence[Floats]) -> Parts:
    """A chunk in which nothing is defined may have parts of no width."""
    width = max((chunk.shape[1] for chunk in parts), default=0)
    filled = (chunk if chunk.shape[1] == width else np.full((len(chunk), width), np.nan) for chunk in parts)
    return Parts(
        values=np.concatenate([np.empty(0), *values]), parts=np.concatenate([np.empty((0, width)), *filled])
    )


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Samples by one metadata key: `codes` (samples,) are indices into `names`, -1 where there is no value."""

    codes: Codes
    names: tuple[str, ...]

    def split(self, positions: Positions) -> dict[str, Positions]:
        """Positions by value, in code-point order of the values."""
        if not len(positions):
            return {}
        codes = self.codes[positions]
        order = np.argsort(codes, kind="stable")
        present, starts = np.unique(codes[order], return_index=True)
        pieces = np.split(positions[order], starts[1:])
        found = {
            self.names[code]: piece for code, piece in zip(present.tolist(), pieces, strict=True) if code >= 0
        }
        return dict(sorted(found.items()))


class _Coder:
    def __init__(self) -> None:
        self._codes = array("i")
        self._names: dict[str, int] = {}

    def add(self, value: str | None) -> None:
        self._codes.append(self._names.setdefault(value, len(self._names)) if value else -1)

    def freeze(self) -> Groups:
        return Groups(codes=np.array(self._codes, dtype=np.int32), names=tuple(self._names))


class ScoreTable:
    """Filled chunk by chunk in planned order, then frozen. `keys`: metadata that make groups."""

    def __init__(self, *, metrics: int, keys: Iterable[str]) -> None:
        self._columns = [Column() for _ in range(metrics)]
        self._coders = {key: _Coder() for key in keys}
        self._answered = array("b")

    def add(self, chunk: JudgedChunk) -> None:
        self._answered.extend(chunk.answered)
        for column, counted, scored in zip(self._columns, chunk.counted, chunk.scored, strict=True):
            column.add(counted, scored=scored)
        for key, coder in self._coders.items():
            for case in chunk.cases:
                coder.add(case.metadata.get(key))

    def freeze(self) -> FrozenTable:
        return FrozenTable(
            columns=tuple(column.freeze() for column in self._columns),
            ungated=tuple(column.freeze_ungated() for column in self._columns),
            answered=np.array(self._answered, dtype=bool),
            groups={key: coder.freeze() for key, coder in self._coders.items()},
        )


@dataclass(frozen=True, kw_only=True)
class FrozenTable:
    """`ungated`: as without the gate, None where that is the same."""

    columns: tuple[Parts, ...]
    ungated: tuple[Parts | None, ...]
    answered: Mask
    groups: Mapping[str, Groups]

    @property
    def everything(self) -> Positions:
        return np.arange(len(self.answered))
