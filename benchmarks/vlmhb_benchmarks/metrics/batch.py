"""Scores many answers at once into columns: an object per sample costs more than an edit distance in C++."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar, overload

from vlmhb_benchmarks.metrics.base import BatchMetric, Flag, Metric, SampleScore

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
else:
    Floats = Any  # a name at run time too, for modules that import it

T = TypeVar("T")
CHUNK = 4096  # pairs whose texts stay in the cache of a core while they are looked at again


@dataclass(frozen=True, kw_only=True)
class ScoreColumns(Sequence[SampleScore]):
    """Scores of n answers by column; a `SampleScore` is built where one is looked at.

    `values` (n,) and `parts` (n, width) are NaN where the score is undefined; `flags` has flagged positions only."""

    values: Floats
    parts: Floats
    matched: Sequence[str | None]
    flags: Mapping[int, Flag]

    def __len__(self) -> int:
        return len(self.matched)

    @overload
    def __getitem__(self, index: int) -> SampleScore: ...

    @overload
    def __getitem__(self, index: slice) -> list[SampleScore]: ...

    def __getitem__(self, index: int | slice) -> SampleScore | list[SampleScore]:
        if isinstance(index, slice):
            return [self._at(position) for position in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._at(index % len(self))

    def __iter__(self) -> Iterator[SampleScore]:
        return (self._at(position) for position in range(len(self)))

    def _at(self, position: int) -> SampleScore:
        flag = self.flags.get(position)
        value = float(self.values[position])
        if math.isnan(value):
            return SampleScore(value=None, parts=None, flag=flag)
        parts = tuple(self.parts[position].tolist())
        return SampleScore(value=value, parts=parts, matched_reference=self.matched[position], flag=flag)


def score_all(
    metric: Metric, predictions: Sequence[str], references: Sequence[Sequence[str]]
) -> ScoreColumns:
    """`metric.score` of each pair, by its batch rule where it has one."""
    if not isinstance(metric, BatchMetric):
        return pack(map(metric.score, predictions, references))
    pieces = []
    for start in range(0, len(predictions), CHUNK):
        end = start + CHUNK
        scores = metric.score_batch(predictions[start:end], references[start:end])
        pieces.append(scores if isinstance(scores, ScoreColumns) else pack(scores))
    return pieces[0] if len(pieces) == 1 else _joined(pieces)


def _joined(pieces: Sequence[ScoreColumns]) -> ScoreColumns:
    import numpy as np

    if not pieces:
        return pack(())
    flags: dict[int, Flag] = {}
    start = 0
    for piece in pieces:
        flags |= {start + position: flag for position, flag in piece.flags.items()}
        start += len(piece)
    return ScoreColumns(
        values=np.concatenate([piece.values for piece in pieces]),
        parts=np.concatenate([piece.parts for piece in pieces]),
        matched=list(chain.from_iterable(piece.matched for piece in pieces)),
        flags=flags,
    )


def pack(scores: Iterable[SampleScore]) -> ScoreColumns:
    """The columns of `scores`, which all have equally many parts or none."""
    import numpy as np

    rows = list(scores)
    width = next((len(row.parts) for row in rows if row.parts is not None), 0)
    undefined = (math.nan,) * width
    return ScoreColumns(
        values=np.array([math.nan if row.value is None else row.value for row in rows], dtype=np.float64),
        parts=np.array(
            [undefined if row.parts is None else row.parts for row in rows], dtype=np.float64
        ).reshape(len(rows), width),
        matched=[row.matched_reference for row in rows],
        flags={position: row.flag for position, row in enumerate(rows) if row.flag is not None},
    )


def numbers(function: Callable[..., float], *columns: Sequence[Any]) -> Floats:
    """`function` of each row of `columns`, as an array."""
    import numpy as np

    return np.fromiter(map(function, *columns), dtype=np.float64, count=len(columns[0]))


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Every reference of every sample in one list, beside how many each sample has (None: all have one)."""

    references: list[str]
    counts: list[int] | None
    samples: int

    @staticmethod
    def of(references: Sequence[Sequence[str]]) -> Pairs:
        try:
            return Pairs(references=[text for (text,) in references], counts=None, samples=len(references))
        except ValueError:  # some sample has none or several
            return Pairs(
                references=list(chain.from_iterable(references)),
                counts=list(map(len, references)),
                samples=len(references),
            )

    def spread(self, answers: list[T]) -> list[T]:
        """The answer of each pair."""
        if self.counts is None:
            return answers
        return [answer for answer, count in zip(answers, self.counts, strict=True) for _ in range(count)]

    def best(self, values: Floats, *, parts: Floats | None, sign: float, flag: Flag) -> ScoreColumns:
        """Per sample the pair with the largest `sign * value`, the first of equals.

        NaN values are undefined; a sample with nothing else gets `flag`. No `parts`: (value, 1)."""
        import numpy as np

        if parts is None:
            parts = np.column_stack([values, np.where(np.isnan(values), np.nan, 1.0)])
        flags: dict[int, Flag] = {}
        matched: Sequence[str | None] = self.references
        if self.counts is not None:
            chosen = self._choose(sign * values)
            flags = {position: "no_reference" for position, count in enumerate(self.counts) if not count}
            # Samples without a choice point at an undefined row behind the last.
            values = np.append(values, np.nan)[chosen]
            parts = np.vstack([parts, np.full((1, parts.shape[1]), np.nan)])[chosen]
            matched = [None if index < 0 else self.references[index] for index in chosen.tolist()]
        undefined: list[int] = np.flatnonzero(np.isnan(values)).tolist()
        return ScoreColumns(
            values=values, parts=parts, matched=matched, flags={**dict.fromkeys(undefined, flag), **flags}
        )

    def _choose(self, keys: Floats) -> npt.NDArray[np.int64]:
        """The index of each sample's first largest key; -1 where it has no defined one."""
        import numpy as np

        owners = np.repeat(np.arange(self.samples), self.counts or 1)
        defined = np.flatnonzero(~np.isnan(keys))
        # Sorted by sample, then the largest key, then the first: the head of each sample's run is its choice.
        order = defined[np.lexsort((defined, -keys[defined], owners[defined]))]
        samples, heads = np.unique(owners[order], return_index=True)
        chosen = np.full(self.samples, -1, dtype=np.int64)
        chosen[samples] = order[heads]
        return chosen
