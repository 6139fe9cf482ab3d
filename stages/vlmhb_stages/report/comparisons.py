"""Paired tests between the evaluations of a benchmark: which differences are more than chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from vlmhb_benchmarks.metrics import UnknownMetric, get_metric
from vlmhb_benchmarks.metrics.base import ratio
from vlmhb_benchmarks.metrics.paired import compare, holm, mcnemar

from vlmhb_stages.contracts import POOLED, ExtractionRate, MetricValue, PartsEntry, PartsIndex
from vlmhb_stages.parts import Floats, read_index, read_parts
from vlmhb_stages.report.collect import Collected
from vlmhb_stages.report.model import Comparison

ALL_PAIRS_UP_TO = 8  # evaluations of a benchmark; beyond, each is compared with the best one
LEVEL = 0.05
SAME = 1e-9  # relative and absolute: sums in another order
FRACTION = 2  # parts of a mean or a rate

FromTotals = Callable[[Sequence[float]], float | None]


@dataclass(frozen=True, kw_only=True)
class _Contender:
    """An evaluation with the parts of its primary metric."""

    id: str
    folder: Path
    index: PartsIndex
    entry: PartsEntry
    metric: MetricValue
    value: float
    from_totals: FromTotals


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Evaluations that may be compared: one benchmark, one metric, one rule of extraction, the same samples."""

    benchmark: str
    contenders: tuple[_Contender, ...]

    @property
    def metric(self) -> MetricValue:
        return self.contenders[0].metric

    @property
    def sign(self) -> float:
        return 1.0 if self.metric.direction == "higher" else -1.0


def comparisons(collected: Sequence[Collected], *, beat: Callable[[], None]) -> tuple[Comparison, ...]:
    """In the order of the evaluations, benchmark by benchmark. `beat` is called before each pair: resampling takes
    a while."""
    return tuple(pair for group in _groups(collected) for pair in _compared(group, beat=beat))


def _groups(collected: Sequence[Collected]) -> Iterator[_Group]:
    found: dict[tuple[str, ...], list[_Contender]] = {}
    for item in collected:
        contender = _contender(item)
        if contender is not None:
            entry, index = contender.entry, contender.index
            name = contender.metric.name
            key: tuple[str, ...] = (
                item.report.benchmark,
                name,
                entry.version,
                str(entry.params),
                index.ids_sha256,
                _extraction(item.report.extraction),
            )
            found.setdefault(key, []).append(contender)
    for (benchmark, *_), contenders in found.items():
        if len(contenders) > 1:
            yield _Group(benchmark=benchmark, contenders=tuple(contenders))


def _extraction(found: ExtractionRate | None) -> str:
    return f"{found.name}@{found.version}" if found else ""


def _contender(item: Collected) -> _Contender | None:
    """None where there is no value, no parts (an older artifact, profile `upstream-0.1`), or no rule for them."""
    metric = item.report.headline
    index = read_index(item.evaluate) if item.evaluate is not None else None
    if metric is None or metric.value is None or item.evaluate is None or index is None:
        return None
    entry = index.metrics.get(metric.name)
    if entry is None or entry.version != metric.version:
        return None
    rule = _from_totals(metric.name, entry=entry)
    if rule is None or not _is_pooled(read_parts(item.evaluate, entry), metric=metric, rule=rule):
        return None
    return _Contender(
        id=item.report.id,
        folder=item.evaluate,
        index=index,
        entry=entry,
        metric=metric,
        value=metric.value,
        from_totals=rule,
    )


def _is_pooled(parts: Floats, *, metric: MetricValue, rule: FromTotals) -> bool:
    """Whether `rule` makes of the parts what `evaluate` has made of them: a metric of the user's own may have another,
    and a test by the wrong rule would name the wrong one better."""
    pooled = metric.averages.get(POOLED, metric.value)
    value = rule([math.fsum(column) for column in parts[~np.isnan(parts).any(axis=1)].T.tolist()])
    return (
        value is not None and pooled is not None and math.isclose(value, pooled, rel_tol=SAME, abs_tol=SAME)
    )


def _pairs(group: _Group) -> list[tuple[_Contender, _Contender]]:
    if len(group.contenders) <= ALL_PAIRS_UP_TO:
        return list(combinations(group.contenders, 2))
    best = max(group.contenders, key=lambda one: group.sign * one.value)
    return [(best, other) for other in group.contenders if other is not best]


def _compared(group: _Group, *, beat: Callable[[], None]) -> Iterator[Comparison]:
    found = []
    for a, b in _pairs(group):
        beat()
        found.append(_compare(group, a=a, b=b))
    known = [pair.p_exact if pair.p_exact is not None else pair.p for pair in found]
    adjusted = iter(holm([p for p in known if p is not None]))
    for pair, p in zip(found, known, strict=True):
        corrected = next(adjusted) if p is not None else None
        yield pair.model_copy(
            update={"p_adjusted": corrected, "better": _better(pair, p=corrected, sign=group.sign)}
        )


def _compare(group: _Group, *, a: _Contender, b: _Contender) -> Comparison:
    """The paired module's difference is second minus first; ours is a minus b."""
    parts_a, parts_b = read_parts(a.folder, a.entry), read_parts(b.folder, b.entry)
    result = compare(parts_b, parts_a, from_totals=a.from_totals)
    exact: float | None = None
    if a.entry.binary and b.entry.binary:
        exact = mcnemar(_first_column(parts_a), _first_column(parts_b)).p_value
    return Comparison(
        benchmark=group.benchmark,
        metric=group.metric.name,
        version=group.metric.version,
        a=a.id,
        b=b.id,
        n=result.n,
        difference=result.difference,
        ci_low=result.low,
        ci_high=result.high,
        p=result.p_value,
        p_exact=exact,
        p_adjusted=None,
        better=None,
    )


def _first_column(parts: Any) -> Any:
    return parts[:, 0]


def _better(pair: Comparison, *, p: float | None, sign: float) -> str | None:
    if p is None or p >= LEVEL or not pair.difference:
        return None
    return pair.a if sign * pair.difference > 0 else pair.b


def _from_totals(name: str, *, entry: PartsEntry) -> FromTotals | None:
    """A metric that is not ours cannot be imported here: if it is a mean or a rate, its parts are a fraction."""
    try:
        return get_metric(f"{name}@{entry.version}").from_totals
    except UnknownMetric:
        return ratio if entry.width == FRACTION else None
