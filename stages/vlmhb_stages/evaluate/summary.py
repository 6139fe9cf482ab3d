"""Aggregates of the whole set and of each slice, with bootstrap intervals, in the shape of metrics.json."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from vlmhb_benchmarks.metrics import Metric
from vlmhb_benchmarks.metrics.bootstrap import Floats, Interval, percentile_interval, resampled_totals

from vlmhb_stages.contracts import MetricValue, SliceMetrics
from vlmhb_stages.evaluate.table import FrozenTable, Positions

MAX_SLICES = 500


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    draws: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Override:
    """A metric whose aggregate comes from elsewhere (a compatibility profile)."""

    version: str
    overall: float | None
    over: Callable[[Positions], float | None]  # for a slice


@dataclass(frozen=True, kw_only=True)
class Summariser:
    """`beat` is called before each scope: resampling a large set takes a while."""

    metrics: Sequence[Metric]
    table: FrozenTable
    bootstrap: Bootstrap
    beat: Callable[[], None]
    overrides: Mapping[str, Override] = field(default_factory=dict)

    def overall(self) -> tuple[MetricValue, ...]:
        return self._scope(self.table.everything, name="")

    def slices(self) -> tuple[SliceMetrics, ...]:
        return tuple(
            SliceMetrics(
                key=slice_.key,
                value=slice_.value,
                metrics=self._scope(positions, name=f"{slice_.key}\0{slice_.value}"),
            )
            for slice_, positions in list(self.table.slices.items())[:MAX_SLICES]
        )

    def _scope(self, positions: Positions, *, name: str) -> tuple[MetricValue, ...]:
        self.beat()
        intervals = self._intervals(positions, name=name)
        return tuple(
            self._value(index, name=name, positions=positions, interval=intervals[index])
            for index in range(len(self.metrics))
        )

    def _value(
        self, index: int, *, name: str, positions: Positions, interval: Interval | None
    ) -> MetricValue:
        metric, parts = self.metrics[index], self.table.columns[index]
        answered = positions[self.table.answered[positions]]
        value, value_answered = self._aggregate(index, positions), self._aggregate(index, answered)
        count, version = parts.count(positions), metric.info.version
        if override := self.overrides.get(metric.info.name):
            value = value_answered = override.over(positions) if name else override.overall
            count, version, interval = len(answered), override.version, None
        return MetricValue(
            name=metric.info.name,
            version=version,
            params=dict(metric.info.params),
            value=value,
            value_answered=value_answered,
            ci_low=interval.low if interval else None,
            ci_high=interval.high if interval else None,
            n=count,
            n_error=len(positions) - len(answered),
            direction=metric.info.direction,
        )

    def _aggregate(self, index: int, positions: Positions) -> float | None:
        totals = self.table.columns[index].totals(positions)
        return None if totals is None else self.metrics[index].from_totals(totals)

    def _intervals(self, positions: Positions, *, name: str) -> list[Interval | None]:
        """The seed depends on the scope's name, so a slice keeps its interval when others come and go."""
        if self.bootstrap.draws < 2 or len(positions) < 2 or not self.metrics:
            return [None] * len(self.metrics)
        blocks = [
            np.column_stack([parts.values[positions], parts.defined[positions]])
            for parts in self.table.columns
        ]
        totals = resampled_totals(
            np.concatenate(blocks, axis=1),
            draws=self.bootstrap.draws,
            seed=(self.bootstrap.seed % 2**32, zlib.crc32(name.encode())),
        )
        edges = np.cumsum([block.shape[1] for block in blocks])[:-1]
        return [
            _interval(metric, totals=part)
            for metric, part in zip(self.metrics, np.split(totals, edges, axis=1), strict=True)
        ]


def _interval(metric: Metric, *, totals: Floats) -> Interval | None:
    """The last column counts the defined samples of a draw; a draw without any says nothing."""
    return percentile_interval(metric.from_totals(row[:-1]) for row in totals.tolist() if row[-1])
