"""A metric of ours that fails on one sample costs that sample, and is told; on every sample it ends the evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from vlmhb_benchmarks.metrics.base import Context, MeanMetric, MetricInfo, SampleScore
from vlmhb_stages.contracts import Prediction
from vlmhb_stages.evaluate.cases import Case
from vlmhb_stages.evaluate.faults import EvaluateError
from vlmhb_stages.evaluate.scorers import LocalScorer

INFO = MetricInfo(
    name="fragile",
    version="1",
    direction="higher",
    lowest=0.0,
    highest=1.0,
    description="fails on BOOM",
    source="test",
    empty_rule="none",
)


@dataclass(frozen=True, kw_only=True)
class Fragile(MeanMetric):
    def compare(self, prediction: str, reference: str) -> float:
        if prediction == "BOOM":
            raise RecursionError("too deep")
        return float(prediction == reference)

    def by_field(self, prediction: str | None, references: Sequence[str]) -> Mapping[str, SampleScore]:
        return {"all": self.score(prediction or "", references)}


def scorer() -> LocalScorer:
    return LocalScorer(metric=Fragile(info=INFO), beat=lambda: None)


def cases(count: int) -> list[Case]:
    return [
        Case(
            position=number,
            sample_id=f"s{number}",
            prediction=Prediction(sample_id=f"s{number}", request_hash="h", status="ok", text="a"),
            references=("a",),
            context=Context(),
        )
        for number in range(count)
    ]


def test_one_bad_sample_costs_one_sample_and_is_told() -> None:
    one = scorer()
    columns = one.answered(["a", "BOOM", "b"], cases(3))
    assert [score.value for score in columns] == [1.0, None, 0.0]
    assert columns.flags == {1: "failed"}
    warning = one.check() or ""
    assert "RecursionError: too deep" in warning and "s1" in warning


def test_its_fields_are_left_out_and_the_others_told() -> None:
    found = list(scorer().fields(["a", "BOOM"], cases(2)))
    assert found[0]["all"].value == 1.0
    assert found[1] == {}


def test_a_chunk_without_faults_counts_towards_all() -> None:
    one = scorer()
    one.answered(["a"], cases(1))
    one.answered(["BOOM"], cases(1))
    assert one.check() is not None


def test_failing_on_every_sample_ends_the_evaluation() -> None:
    one = scorer()
    one.answered(["BOOM", "BOOM"], cases(2))
    with pytest.raises(EvaluateError, match="metric 'fragile' fails on every sample"):
        one.check()
