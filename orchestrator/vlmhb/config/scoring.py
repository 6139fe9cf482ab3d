"""Metrics of a row: names checked against what is installed, the card's defaults, what is skipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlmhb.contracts import BenchmarkCard
from vlmhb.errors import ErrorList, UnknownName, VlmhbError
from vlmhb.reading.names import name_hint

from .problems import Problems
from .rows import AGGREGATORS


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """`metrics` () = the evaluation is skipped."""

    metrics: tuple[str, ...]
    primary: str | None
    aggregators: tuple[str, ...]
    profile: str


def find_scoring(problems: Problems, *, benchmark: BenchmarkCard | None) -> Scoring:
    """`benchmark` None: it was not found, the row's own names are checked all the same.

    Raises `ErrorList` of `UnknownName`."""
    row = problems.row
    defaults = benchmark.metrics if benchmark is not None else ()
    wanted = row.metrics if row.metrics is not None else defaults
    metrics = canonical_metrics(wanted, where=problems.where("metrics"))
    if row.metrics is None and benchmark is not None and not metrics:
        problems.warn("no metrics, so the answers will not be evaluated", column="metrics")
    primary = None
    if benchmark is not None and benchmark.primary is not None:
        primary = canonical_metrics([benchmark.primary], where=benchmark.origin)[0]
    return Scoring(
        metrics=metrics,
        primary=primary if primary in metrics else next(iter(metrics), None),
        aggregators=row.metrics_aggregators if row.metrics_aggregators is not None else AGGREGATORS,
        profile=row.metrics_profile or "default",
    )


def canonical_metrics(names: Sequence[str], *, where: str) -> tuple[str, ...]:
    """Names as the metrics write themselves, each once; a version or an import path stays as given.

    Raises `ErrorList` of `UnknownName`, one for each unknown name."""
    from vlmhb_benchmarks.metrics import BrokenMetric, UnknownMetric, get_metric, list_metrics

    found: dict[str, None] = {}
    errors: list[VlmhbError] = []
    for name in names:
        try:
            metric = get_metric(name)
        except UnknownMetric:
            hint = name_hint(name, [info.name for info in list_metrics()]) or "vlmhb metrics list shows all"
            errors.append(UnknownName(f"unknown metric '{name}'", where=where, hint=hint))
        except BrokenMetric as error:
            errors.append(UnknownName(f"metric '{name}' does not load: {error}", where=where))
        else:
            found.setdefault(name if "@" in name or ":" in name else metric.info.name)
    if errors:
        raise ErrorList(errors)
    return tuple(found)
