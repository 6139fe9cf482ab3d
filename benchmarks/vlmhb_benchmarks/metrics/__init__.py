"""Metrics by name. Importing this package imports no scorer and no numpy."""

from vlmhb_benchmarks.metrics.base import Metric, MetricInfo, SampleScore, aggregate
from vlmhb_benchmarks.metrics.registry import BrokenMetric, UnknownMetric, get_metric, list_metrics

__all__ = [
    "BrokenMetric",
    "Metric",
    "MetricInfo",
    "SampleScore",
    "UnknownMetric",
    "aggregate",
    "get_metric",
    "list_metrics",
]
