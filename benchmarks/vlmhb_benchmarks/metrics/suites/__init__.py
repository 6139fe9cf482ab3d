"""Metrics of composite benchmarks: a rule per question type, or a whole page per sample. Imports no scorer."""

from __future__ import annotations

from vlmhb_benchmarks.metrics.base import Metric
from vlmhb_benchmarks.metrics.suites.cc_ocr_kie import CC_OCR_KIE
from vlmhb_benchmarks.metrics.suites.mmlongbench import MMLONGBENCH, MMLONGBENCH_F1
from vlmhb_benchmarks.metrics.suites.ocrbench_v2.metric import OCRBENCH_V2
from vlmhb_benchmarks.metrics.suites.olmocr.metric import OLMOCR_TESTS
from vlmhb_benchmarks.metrics.suites.omnidoc.metric import (
    OMNIDOC_FORMULA,
    OMNIDOC_ORDER,
    OMNIDOC_TABLE,
    OMNIDOC_TEXT,
)

SUITE_METRICS: tuple[Metric, ...] = (
    OCRBENCH_V2,
    CC_OCR_KIE,
    MMLONGBENCH,
    MMLONGBENCH_F1,
    OLMOCR_TESTS,
    OMNIDOC_TEXT,
    OMNIDOC_TABLE,
    OMNIDOC_FORMULA,
    OMNIDOC_ORDER,
)

__all__ = ["SUITE_METRICS"]
