"""Aggregates of the whole set, of each slice and of each field, with intervals, in the shape of metrics.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from vlmhb_benchmarks.metrics import Metric
from vlmhb_benchmarks.metrics.bootstrap import Interval, percentile_interval

from vlmhb_stages.contracts import POOLED, MetricValue, SliceMetrics
from vlmhb_stages.evaluate.averages import (
    SAMPLE_MEAN,
    Average,
    AverageName,
    Pooled,
    Resampling,
    SampleMean,
    make_average,
)
from vlmhb_stages.evaluate.fields import FieldParts, FieldScope
from vlmhb_stages.evaluate.records import Beat
from vlmhb_stages.evaluate.table import FrozenTable, Parts, Positions

MAX_SLICES = 500
_MAX_GROUPS = 10_000  # of a slice key, for an average that nobody asked for


@dataclass(frozen=True, kw_only=True)
class Override:
    """A metric whose aggregate comes from elsewhere (a compatibility profile)."""

    version: str
    overall: float | None
    over: Callable[[Positions], float | None]  # for a slice


@dataclass(frozen=True, kw_only=True)
class Slice:
    key: str
    value: str
    positions: Positions


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Averages by name: of the whole set, and those that slices have as well. `headline` becomes `value`."""

    slice_keys: tuple[str, ...]
    headline: AverageName | None
    further: tuple[AverageName, ...]

    @property
    def names(self) -> tuple[AverageName, ...]:
        return (*((self.headline,) if self.headline else ()), *self.further)

    @property
    def keys(self) -> tuple[str, ...]:
        """Metadata that samples are grouped by."""
        return tuple(dict.fromkeys((*self.slice_keys, *(key for name in self.names for key in name.keys))))


@dataclass(frozen=True, kw_only=True)
class Summariser:
    """`beat` is called before each interval: resampling a large set takes a while. `gate`: index of that metric."""

    metrics: Sequence[Metric]
    table: FrozenTable
    wanted: Wanted
    resampling: Resampling
    beat: Beat
    gate: int | None = None
    overrides: Mapping[str, Override] = field(default_factory=dict)

    def overall(self) -> tuple[MetricValue, ...]:
        return self._scope(self.table.everything, name="")

    def all_slices(self) -> list[Slice]:
        return [
            Slice(key=key, value=value, positions=positions)
            for key in self.wanted.slice_keys
            for value, positions in self.table.groups[key].split(self.table.everything).items()
        ]

    def slices(self, slices: Sequence[Slice]) -> Iterator[SliceMetrics]:
        for one in slices[:MAX_SLICES]:
            metrics = self._scope(one.positions, name=f"{one.key}\0{one.value}")
            yield SliceMetrics(key=one.key, value=one.value, metrics=metrics)

    def fields(self, scopes: Sequence[FieldScope]) -> Iterator[SliceMetrics]:
        for scope in scopes:
            name = f"{scope.key}\0{scope.value}"
            metrics = tuple(self._field(one, name=name) for one in scope.metrics)
            yield SliceMetrics(key=scope.key, value=scope.value, metrics=metrics)

    def _scope(self, positions: Positions, *, name: str) -> tuple[MetricValue, ...]:
        return tuple(self._value(index, positions, name=name) for index in range(len(self.metrics)))

    def _value(self, index: int, positions: Positions, *, name: str) -> MetricValue:
        metric, data = self.metrics[index], self.table.columns[index]
        answered = positions[self.table.answered[positions]]
        found = MetricValue(
            name=metric.info.name,
            version=metric.info.version,
            params=dict(metric.info.params),
            value=None,
            value_answered=None,
            n=len(data.defined(positions)),
            n_error=len(positions) - len(answered),
            direction=metric.info.direction,
            average=metric.info.average,
        )
        if override := self.overrides.get(metric.info.name):
            value = override.over(positions) if name else override.overall
            update = {
                "value": value,
                "value_answered": value,
                "n": len(answered),
                "version": override.version,
            }
            return found.model_copy(update=update)
        headline = self.wanted.headline
        average = self._average(headline, metric=metric)
        interval = self._interval(average, data, positions, name=name, metric=metric)
        return found.model_copy(
            update={
                "value": average.value(data, positions),
                "value_answered": average.value(data, answered),
                "ci_low": interval.low if interval else None,
                "ci_high": interval.high if interval else None,
                "average": headline.text if headline else metric.info.average,
                "averages": self._averages(data, positions, metric=metric, is_whole=not name),
                "ungated": self._ungated(index, average, positions),
            }
        )

    def _average(self, name: AverageName | None, *, metric: Metric) -> Average:
        if name is None:
            return Pooled(metric=metric)
        return make_average(name, metric=metric, groups=self.table.groups)

    def _averages(
        self, data: Parts, positions: Positions, *, metric: Metric, is_whole: bool
    ) -> dict[str, float | None]:
        found: dict[str, Average] = {SAMPLE_MEAN: SampleMean()}
        if self.wanted.headline:
            found[POOLED] = Pooled(metric=metric)
        keys = [key for key in self.wanted.slice_keys if 0 < len(self.table.groups[key].names) <= _MAX_GROUPS]
        names = [AverageName(text=f"macro:{key}", kind="macro", keys=(key,)) for key in keys if is_whole]
        for name in (*names, *self.wanted.names):
            found[name.text] = self._average(name, metric=metric)
        return {name: average.value(data, positions) for name, average in found.items()}

    def _ungated(self, index: int, average: Average, positions: Positions) -> float | None:
        if self.gate is None or index == self.gate:
            return None
        return average.value(self.table.ungated[index] or self.table.columns[index], positions)

    def _interval(
        self, average: Average, data: Parts, positions: Positions, *, name: str, metric: Metric
    ) -> Interval | None:
        """The seed depends on the names of scope and metric, so an interval stays when others come and go."""
        self.beat()
        if self.resampling.draws < 2 or len(positions) < 2:
            return None
        by = self.resampling.of(name).of(metric.info.name)
        return percentile_interval(average.resampled(data, positions, by=by))

    def _field(self, one: FieldParts, *, name: str) -> MetricValue:
        """Of the documents that have the field; always the metric's own average."""
        metric, places = self.metrics[one.metric], np.arange(len(one.positions))
        pooled = Pooled(metric=metric)
        interval = self._interval(pooled, one.data, places, name=name, metric=metric)
        return MetricValue(
            name=metric.info.name,
            version=metric.info.version,
            params=dict(metric.info.params),
            value=pooled.value(one.data, places),
            value_answered=pooled.value(one.data, places[one.answered]),
            ci_low=interval.low if interval else None,
            ci_high=interval.high if interval else None,
            n=len(places),
            n_error=int((~one.answered).sum()),
            direction=metric.info.direction,
            average=metric.info.average,
        )
