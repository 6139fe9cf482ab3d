"""Metrics of tables: TEDS and GriTS over HTML or Markdown tables. Importing this package imports no scorer."""

from __future__ import annotations

from vlmhb_benchmarks.metrics.base import Metric
from vlmhb_benchmarks.metrics.tables.metrics import GRITS_CON, GRITS_TOP, TEDS, TEDS_STRUCT

TABLE_METRICS: tuple[Metric, ...] = (TEDS, TEDS_STRUCT, GRITS_TOP, GRITS_CON)

__all__ = ["GRITS_CON", "GRITS_TOP", "TABLE_METRICS", "TEDS", "TEDS_STRUCT"]
