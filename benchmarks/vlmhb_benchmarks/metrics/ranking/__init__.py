"""Metrics of page orders: rank correlations and positions. Importing this package imports no scorer."""

from __future__ import annotations

from vlmhb_benchmarks.metrics.base import Metric
from vlmhb_benchmarks.metrics.ranking.metrics import (
    KENDALL_TAU,
    KENDALL_TAU_UPSTREAM,
    PAGE_ACCURACY,
    PAGE_ACCURACY_UPSTREAM,
    SPEARMAN_RHO,
    SPEARMAN_RHO_UPSTREAM,
)

RANKING_METRICS: tuple[Metric, ...] = (
    KENDALL_TAU,
    SPEARMAN_RHO,
    PAGE_ACCURACY,
    KENDALL_TAU_UPSTREAM,
    SPEARMAN_RHO_UPSTREAM,
    PAGE_ACCURACY_UPSTREAM,
)

__all__ = [
    "KENDALL_TAU",
    "KENDALL_TAU_UPSTREAM",
    "PAGE_ACCURACY",
    "PAGE_ACCURACY_UPSTREAM",
    "RANKING_METRICS",
    "SPEARMAN_RHO",
    "SPEARMAN_RHO_UPSTREAM",
]
