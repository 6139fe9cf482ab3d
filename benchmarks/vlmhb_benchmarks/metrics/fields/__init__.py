"""Metrics of answers that are data: fields, entities, list items, structure. Imports no scorer."""

from __future__ import annotations

from vlmhb_benchmarks.metrics.base import Metric
from vlmhb_benchmarks.metrics.fields.accuracy import FIELD_ACCURACY
from vlmhb_benchmarks.metrics.fields.entities import ENTITY_F1
from vlmhb_benchmarks.metrics.fields.invoice import INVOICE_ACCURACY
from vlmhb_benchmarks.metrics.fields.items import KIE_LIST_F1
from vlmhb_benchmarks.metrics.fields.kie import (
    KIE_F1,
    KIE_F1_MACRO,
    KIE_F1_NORM,
    KIE_PRECISION,
    KIE_RECALL,
)
from vlmhb_benchmarks.metrics.fields.structure import (
    JSON_VALID,
    STRUCTURAL_FIDELITY,
    from_pydantic,
    from_schema,
)
from vlmhb_benchmarks.metrics.fields.tree import KIE_TED

FIELD_METRICS: tuple[Metric, ...] = (
    KIE_F1,
    KIE_PRECISION,
    KIE_RECALL,
    KIE_F1_NORM,
    KIE_F1_MACRO,
    KIE_LIST_F1,
    KIE_TED,
    FIELD_ACCURACY,
    ENTITY_F1,
    STRUCTURAL_FIDELITY,
    JSON_VALID,
    INVOICE_ACCURACY,
)

__all__ = ["FIELD_METRICS", "from_pydantic", "from_schema"]
