"""The ways in which samples become one number, each with its resampled values for an interval.

Grammar of a card: `sample_mean`, `macro:<key>/<key>` (unweighted mean over groups, nested from left to right),
`all:<key>/<key>` (a group is as good as its worst sample; mean over groups).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from vlmhb_benchmarks.metrics import Metric
from vlmhb_benchmarks.metrics.bootstrap import resampled_totals

from vlmhb_stages.evaluate.faults import EvaluateError
from vlmhb_stages.evaluate.table import Floats, Groups, Parts, Positions

SAMPLE_MEAN = "sample_mean"
_KINDS = ("macro", "all")


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """`seed` is a whole path: of the run, the scope, the metric."""

    draws: int
    seed: tuple[int, ...]

    def of(self, name: str) -> Resampling:
        return Resampling(draws=self.draws, seed=(*self.seed, zlib.crc32(name.encode())))


class Average(Protocol):
    def value(self, data: Parts, positions: Positions) -> float | None: ...

    def resampled(self, data: Parts, positions: Positions, *, by: Resampling) -> Floats:
        """(draws,), NaN where a draw is undefined."""


@dataclass(frozen=True, kw_only=True)
class AverageName:
    """A parsed name. `keys` are those of the metadata that it groups by."""

    text: str
    kind: str
    keys: tuple[str, ...] = ()


def parse_average(text: str) -> AverageName:
    """Raises EvaluateError for what is no average."""
    kind, _, rest = text.strip().partition(":")
    keys = tuple(key.strip() for key in rest.split("/"))
    if kind == SAMPLE_MEAN and not rest:
        return AverageName(text=SAMPLE_MEAN, kind=kind)
    if kind not in _KINDS or not all(keys):
        raise EvaluateError(
            f"unknown average {text!r}",
            hint="one of: sample_mean, macro:<key>[/<key>...], all:<key>[/<key>...]",
        )
    return AverageName(text=f"{kind}:{'/'.join(keys)}", kind=kind, keys=keys)


def make_average(name: AverageName, *, metric: Metric, groups: Mapping[str, Groups]) -> Average:
    chosen = tuple(groups[key] for key in name.keys)
    if name.kind == "macro":
        return Macro(metric=metric, groups=chosen)
    if name.kind == "all":
        return AllRight(metric=metric, groups=chosen)
    return SampleMean()


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """The metric's own rule over the totals of all parts."""

    metric: Metric

    def value(self, data: Parts, positions: Positions) -> float | None:
        """Raises EvaluateError where the metric, a user's, gives no finite number: JSON would call it undefined."""
        totals = data.totals(positions)
        value = None if totals is None else self.metric.from_totals(totals)
        if value is not None and not math.isfinite(value):
            raise EvaluateError(
                f"{self.metric.info.name}: from_totals gives {value!r}", hint="a finite number, or None"
            )
        return value

    def resampled(self, data: Parts, positions: Positions, *, by: Resampling) -> Floats:
        """A draw without any defined sample is undefined."""
        chosen = data.defined(positions)
        if not len(chosen):
            return np.full(by.draws, np.nan)
        counted = np.zeros((len(positions), data.parts.shape[1] + 1))
        defined = ~np.isnan(data.values[positions])
        counted[defined, :-1] = data.parts[chosen]
        counted[defined, -1] = 1.0
        totals = resampled_totals(counted, draws=by.draws, seed=by.seed)
        return _numbers(self.metric.from_totals(row[:-1]) if row[-1] else None for row in totals.tolist())


@dataclass(frozen=True, kw_only=True)
class SampleMean:
    """The plain mean of the samples' own values."""

    def value(self, data: Parts, positions: Positions) -> float | None:
        values = data.values[data.defined(positions)].tolist()
        return math.fsum(values) / len(values) if values else None

    def resampled(self, data: Parts, positions: Positions, *, by: Resampling) -> Floats:
        values = data.values[positions]
        defined = ~np.isnan(values)
        columns = np.column_stack([np.where(defined, values, 0.0), defined])
        return _ratios(resampled_totals(columns, draws=by.draws, seed=by.seed))


@dataclass(frozen=True, kw_only=True)
class Macro:
    """Unweighted mean over groups of the pooled value of each; groups without a defined one do not count.

    Resampled within each group (stratified): the groups are the benchmark's, only their samples are a sample."""

    metric: Metric
    groups: tuple[Groups, ...]

    def value(self, data: Parts, positions: Positions) -> float | None:
        pooled = Pooled(metric=self.metric)
        found = _nested(
            self.groups, positions, path="", leaf=lambda chosen, _: _numbers([pooled.value(data, chosen)])
        )
        return None if found is None or math.isnan(found[0]) else float(found[0])

    def resampled(self, data: Parts, positions: Positions, *, by: Resampling) -> Floats:
        """Undefined where no group has two samples: nothing tells how much they vary."""
        pooled = Pooled(metric=self.metric)
        sizes: set[int] = set()

        def leaf(chosen: Positions, path: str) -> Floats:
            sizes.add(len(chosen))
            if len(chosen) == 1:
                return np.full(by.draws, _numbers([pooled.value(data, chosen)])[0])
            return pooled.resampled(data, chosen, by=by.of(path))

        found = _nested(self.groups, positions, path="", leaf=leaf)
        return np.full(by.draws, np.nan) if found is None or sizes == {1} else found


@dataclass(frozen=True, kw_only=True)
class AllRight:
    """Mean over groups of the worst sample of each: the share of groups that are right as a whole."""

    metric: Metric
    groups: tuple[Groups, ...]

    def value(self, data: Parts, positions: Positions) -> float | None:
        worst = self._worst(data, positions)
        return math.fsum(worst) / len(worst) if worst else None

    def resampled(self, data: Parts, positions: Positions, *, by: Resampling) -> Floats:
        """Whole groups are drawn; of one alone nothing can be told."""
        worst = self._worst(data, positions)
        if len(worst) < 2:
            return np.full(by.draws, np.nan)
        columns = np.column_stack([worst, np.ones(len(worst))])
        return _ratios(resampled_totals(columns, draws=by.draws, seed=by.seed))

    def _worst(self, data: Parts, positions: Positions) -> list[float]:
        pick = np.min if self.metric.info.direction == "higher" else np.max
        found: list[float] = []

        def leaf(chosen: Positions, _: str) -> Floats:
            defined = data.defined(chosen)
            if len(defined):
                found.append(float(pick(data.values[defined])))
            return np.empty(0)

        _nested(self.groups, positions, path="", leaf=leaf)
        return found


def _nested(
    groups: Sequence[Groups], positions: Positions, *, path: str, leaf: Callable[[Positions, str], Floats]
) -> Floats | None:
    """The mean over the first key's groups of the mean over the next key's, down to `leaf`.

    NaN does not count, nor does a group that has no group below it; None where there is nothing at all."""
    if not groups:
        return leaf(positions, path)
    below = [
        found
        for name, chosen in groups[0].split(positions).items()
        if (found := _nested(groups[1:], chosen, path=f"{path}/{name}", leaf=leaf)) is not None
    ]
    if not below:
        return None
    rows = np.array(below)
    counts = (~np.isnan(rows)).sum(axis=0)
    sums = np.array([math.fsum(column) for column in np.nan_to_num(rows).T.tolist()])
    return _divided(sums, counts)


def _numbers(values: Iterable[float | None]) -> Floats:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _ratios(totals: Floats) -> Floats:
    """First column over the second; NaN for 0/0."""
    return _divided(totals[:, 0], totals[:, 1])


def _divided(sums: Floats, counts: Floats) -> Floats:
    """NaN where nothing was counted."""
    out = np.full(len(sums), np.nan)
    np.divide(sums, counts, out=out, where=counts > 0)
    return out
