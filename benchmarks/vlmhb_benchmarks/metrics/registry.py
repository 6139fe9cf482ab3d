"""Finds metrics by name: the built-in table, entry points `vlmhb.metrics`, or a dotted path `module:attr`."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from vlmhb_benchmarks.metrics.anls import ANLS, ANLS_DOCVQA, ANLS_EVALSCOPE, ANLS_STRICT
from vlmhb_benchmarks.metrics.answers import ANSWER_METRICS
from vlmhb_benchmarks.metrics.base import Metric, MetricInfo
from vlmhb_benchmarks.metrics.bleu import BLEU
from vlmhb_benchmarks.metrics.classes import CLASS_METRICS
from vlmhb_benchmarks.metrics.error_rates import CER, CER_NORM, WER, WER_NORM
from vlmhb_benchmarks.metrics.fields import FIELD_METRICS
from vlmhb_benchmarks.metrics.generation import GENERATION_METRICS
from vlmhb_benchmarks.metrics.layout import LAYOUT_METRICS
from vlmhb_benchmarks.metrics.matching import (
    EDIT_SIMILARITY,
    EDIT_SIMILARITY_NORM,
    EXACT_MATCH,
    EXACT_MATCH_NORM,
)
from vlmhb_benchmarks.metrics.ranking import RANKING_METRICS
from vlmhb_benchmarks.metrics.suites import SUITE_METRICS
from vlmhb_benchmarks.metrics.tables import TABLE_METRICS

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "vlmhb.metrics"

BUILT_IN: tuple[Metric, ...] = (
    CER,
    WER,
    CER_NORM,
    WER_NORM,
    ANLS,
    ANLS_DOCVQA,
    ANLS_EVALSCOPE,
    ANLS_STRICT,
    EXACT_MATCH,
    EXACT_MATCH_NORM,
    BLEU,
    *GENERATION_METRICS,
    *ANSWER_METRICS,
    *FIELD_METRICS,
    *TABLE_METRICS,
    *LAYOUT_METRICS,
    *RANKING_METRICS,
    *CLASS_METRICS,
    *SUITE_METRICS,
    EDIT_SIMILARITY,
    EDIT_SIMILARITY_NORM,
)
ALIASES = {"anls@docvqa": "anls_docvqa"}


class UnknownMetric(KeyError):
    """No metric has this name. `nearest` are the names most like it."""

    def __init__(self, name: str, *, names: Iterable[str]) -> None:
        self.name = name
        self.names = tuple(sorted(names))
        self.nearest = tuple(get_close_matches(name.lower(), self.names, n=3, cutoff=0.5))
        super().__init__(name)

    def __str__(self) -> str:
        known = ", ".join(self.nearest or self.names)
        return f"unknown metric {self.name!r}; {'nearest' if self.nearest else 'known'}: {known}"


class BrokenMetric(TypeError):
    """A plug-in or dotted path that cannot be imported, or is no metric."""


def list_metrics() -> tuple[MetricInfo, ...]:
    """Built-in metrics in table order, then plug-ins by name."""
    plugins = (_load(point.value, what=f"entry point {point.name!r}") for point in _plugins().values())
    return tuple(metric.info for metric in (*BUILT_IN, *plugins))


def get_metric(name: str) -> Metric:
    """The metric called `name`, in any case; `name@version` insists on a version; `module:attr` imports one.

    Raises UnknownMetric, or BrokenMetric for a plug-in that does not load."""
    wanted = name.strip()
    if ":" in wanted:
        return _load(wanted, what="metric path")
    key = ALIASES.get(wanted.lower(), wanted.lower())
    base, _, version = key.partition("@")
    metric = _named(base)
    if metric is None or version not in ("", metric.info.version):
        raise UnknownMetric(wanted, names=_known_names())
    return metric


def _named(name: str) -> Metric | None:
    for metric in BUILT_IN:
        if metric.info.name == name:
            return metric
    point = _plugins().get(name)
    return _load(point.value, what=f"entry point {point.name!r}") if point else None


def _known_names() -> tuple[str, ...]:
    return (*(metric.info.name for metric in BUILT_IN), *_plugins())


def _plugins() -> dict[str, EntryPoint]:
    """Entry points by lower-cased name. A name given twice is an error, never a silent override."""
    from importlib.metadata import entry_points  # takes longer to import than everything else here

    points: dict[str, EntryPoint] = {}
    built_in = {metric.info.name for metric in BUILT_IN}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        name = point.name.lower()
        if name in built_in or name in points:
            raise BrokenMetric(f"entry point {point.value!r} takes a metric name that is taken: {name}")
        points[name] = point
    return points


def _load(path: str, *, what: str) -> Metric:
    module, _, attribute = path.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise BrokenMetric(f"{what} {path!r} does not load: {error}") from error
    if not isinstance(found, Metric):
        raise BrokenMetric(f"{what} {path!r} is no metric: it needs info, score, missing and from_totals")
    return found
