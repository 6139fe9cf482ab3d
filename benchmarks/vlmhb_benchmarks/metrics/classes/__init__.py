"""Metrics of classification: accuracy, and precision, recall and F1 over classes. Imports no scorer."""

from __future__ import annotations

from vlmhb_benchmarks.metrics.base import Metric
from vlmhb_benchmarks.metrics.classes.accuracy import CLASS_ACCURACY
from vlmhb_benchmarks.metrics.classes.pages import PAGE_CLASS_ACCURACY
from vlmhb_benchmarks.metrics.classes.rates import (
    CLASS_F1_MACRO,
    CLASS_F1_WEIGHTED,
    CLASS_PRECISION_WEIGHTED,
    CLASS_RECALL_WEIGHTED,
)

CLASS_METRICS: tuple[Metric, ...] = (
    CLASS_ACCURACY,
    CLASS_F1_MACRO,
    CLASS_F1_WEIGHTED,
    CLASS_PRECISION_WEIGHTED,
    CLASS_RECALL_WEIGHTED,
    PAGE_CLASS_ACCURACY,
)

__all__ = [
    "CLASS_ACCURACY",
    "CLASS_F1_MACRO",
    "CLASS_F1_WEIGHTED",
    "CLASS_METRICS",
    "CLASS_PRECISION_WEIGHTED",
    "CLASS_RECALL_WEIGHTED",
    "PAGE_CLASS_ACCURACY",
]
