"""No reply and no reference ends an evaluation: what a metric cannot read is wrong or undefined, never an exception."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
from metric_scope import bound, fitted
from vlmhb_benchmarks.metrics.base import FieldMetric, Metric
from vlmhb_benchmarks.metrics.registry import BUILT_IN

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics"
DEPTHS = (150, 450, 990, 5000)  # below and above what Python's stack and its JSON reader take
NESTED = {
    f"{name} {depth}": opening * depth + "1" + closing * depth
    for name, opening, closing in (
        ("lists", "[", "]"),
        ("objects", '{"a":', "}"),
        ("both", '{"a":[', "]}"),
        ("tuples", "(", ")"),
        ("tables", "<table><tr><td>", "</td></tr></table>"),
        ("groups", "\\frac{", "}"),
    )
    for depth in DEPTHS
}
HOSTILE = {
    **NESTED,
    "control characters": "<table><tr><td>a\x01\x0b&#1;</td><th>\x02</th></tr></table>",
    "a NUL": "<table>\0<tr><td>a</td></tr></table>",
    "half a pair": "\ud800<table><tr><td>\ud800</td></tr></table>",
    "a false encoding": '<meta charset="nope"><table><tr><td>x</td></tr></table>',
    "an open comment": "<table><!--",
    "more than a float": "1e999",
    "more than a float in a list": "[1e999, 1e999, 1e999, 1e999]",
    "more than an integer": "9" * 5000,
    "digits of other scripts": "٣ ² ①",
    "numbers as keys": "{1: 2, 'a': 3}",
    "lists as keys": "{[]: 1}",
}


@cache
def cases(name: str) -> list[dict[str, Any]]:
    """Of each question type one golden vector: its rule, its references."""
    found: dict[str, dict[str, Any]] = {}
    for case in json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))["cases"]:
        metadata = (case.get("context") or {}).get("metadata", {})
        kind = f"{metadata.get('type')} {metadata.get('answer_format')}"
        if case["references"]:
            found.setdefault(kind, case)
    return list(found.values())


def in_use(metric: Metric) -> Iterator[tuple[Metric, dict[str, Any]]]:
    for case in cases(metric.info.name):
        yield bound(fitted(metric, [case["references"]]), case.get("context")), case


def check(metric: Metric, answer: str, references: list[str]) -> None:
    for score in (metric.score(answer, references), metric.missing(references)):
        if score.value is not None and score.parts is not None:
            assert isfinite(score.value)
            metric.from_totals(score.parts)
    if isinstance(metric, FieldMetric):
        metric.by_field(answer, references)


@pytest.mark.parametrize("metric", [pytest.param(metric, id=metric.info.name) for metric in BUILT_IN])
@pytest.mark.timeout(60)
def test_no_text_breaks_a_metric(metric: Metric) -> None:
    for used, case in in_use(metric):
        for text in HOSTILE.values():
            check(used, text, case["references"])
            check(used, case["prediction"], [text])
