"""Every metric equals its source on every golden vector, per sample and over the corpus."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from metric_scope import bound, fitted
from vlmhb_benchmarks.metrics import aggregate, get_metric
from vlmhb_benchmarks.metrics.base import Metric, SampleScore

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics"
FILES = sorted(path for path in GOLDEN.glob("*.json") if path.name != "pandas_columns.json")


@cache
def load(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


CASES = [
    pytest.param(path.stem, case, id=f"{path.stem}-{index}")
    for path in FILES
    for index, case in enumerate(load(path)["cases"])
]


def check(found: float | None, *, case: dict[str, Any]) -> None:
    expected = case["value"]
    if expected is None:
        assert found is None
    else:
        digits = case.get("digits")  # as many as the source gives
        assert found == pytest.approx(expected, abs=1e-12 if digits is None else 0.6 * 10**-digits, rel=1e-12)


def metric_of(path: Path) -> Metric:
    """The metric of a file, fitted to the references that the file names (document frequencies)."""
    data = load(path)
    return fitted(get_metric(data["metric"]), data.get("fit", ()))


@pytest.mark.parametrize(("name", "case"), CASES)
def test_sample(name: str, case: dict[str, Any]) -> None:
    metric = bound(metric_of(GOLDEN / f"{name}.json"), case.get("context"))
    score = metric.score(case["prediction"], case["references"])
    check(score.value, case=case)
    assert (score.value is None) == (score.parts is None)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_corpus(path: Path) -> None:
    data, metric = load(path), metric_of(path)
    for corpus in data.get("corpora", ()):
        pairs = zip(corpus["predictions"], corpus["references"], strict=True)
        scores: list[SampleScore] = [metric.score(prediction, references) for prediction, references in pairs]
        check(aggregate(metric, scores), case=corpus)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_enough_vectors_and_each_says_where_it_is_from(path: Path) -> None:
    cases = load(path)["cases"]
    assert len(cases) >= 30
    assert all(case["source"] for case in cases)


def test_kie_parts_are_the_hand_counted_fields() -> None:
    metric = get_metric("kie_f1")
    for case in load(GOLDEN / "kie_f1.json")["cases"]:
        if "hits" in case:
            assert metric.score(case["prediction"], case["references"]).parts == tuple(case["hits"])


def test_every_built_in_has_vectors() -> None:
    from vlmhb_benchmarks.metrics.registry import BUILT_IN

    covered = {load(path)["metric"] for path in FILES}
    assert {metric.info.name for metric in BUILT_IN} - covered == set()


def test_kie_precision_and_recall_by_hand() -> None:
    answer, gold = '{"a": "x", "b": "no", "d": "?"}', ['{"a": "x", "b": "y", "c": "z", "e": "w"}']
    assert get_metric("kie_precision").score(answer, gold).value == pytest.approx(1 / 3)
    assert get_metric("kie_recall").score(answer, gold).value == pytest.approx(1 / 4)
    assert get_metric("kie_f1").score(answer, gold).value == pytest.approx(2 / 7)
