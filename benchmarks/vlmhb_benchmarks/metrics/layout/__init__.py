"""Metrics of places and sequences on a page: boxes, reading order, formulas. Imports no scorer."""

from __future__ import annotations

from vlmhb_benchmarks.metrics.base import Metric
from vlmhb_benchmarks.metrics.layout.grounding import IOU, IOU_50
from vlmhb_benchmarks.metrics.layout.sequences import FORMULA_EDIT, READING_ORDER

LAYOUT_METRICS: tuple[Metric, ...] = (IOU, IOU_50, READING_ORDER, FORMULA_EDIT)

__all__ = ["FORMULA_EDIT", "IOU", "IOU_50", "LAYOUT_METRICS", "READING_ORDER"]
