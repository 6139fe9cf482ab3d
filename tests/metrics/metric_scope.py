"""Brings any registered metric into the state in which the evaluate stage uses it: bound and fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vlmhb_benchmarks.metrics import Metric
from vlmhb_benchmarks.metrics.base import Context, ContextMetric, FittedMetric


def fitted(metric: Metric, references: Sequence[Sequence[str]]) -> Metric:
    return metric.fit(references) if isinstance(metric, FittedMetric) else metric


def bound(metric: Metric, context: Mapping[str, Any] | None) -> Metric:
    """`context` as it stands in a golden file: metadata, choices, response_schema, question."""
    if context is None:
        return metric
    assert isinstance(metric, ContextMetric)
    known = {key: tuple(value) if key == "choices" else value for key, value in context.items()}
    return metric.in_context(Context(**known))
