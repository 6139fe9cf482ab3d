"""Failures are states, never texts to score; what was planned and what was recorded must agree."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from evaluate_case import Item, answered, evaluate, failed, run_stage
from vlmhb_benchmarks.metrics.base import Flag
from vlmhb_stages.contracts import Prediction
from vlmhb_stages.evaluate.notes import WHY


def item(sample_id: str, prediction: Prediction | None, *, reference: str = "42") -> Item:
    return Item(sample_id=sample_id, references=(reference,), prediction=prediction)


ALL = ("cer", "anls", "exact_match")


def test_a_failed_sample_is_wrong_in_value_and_absent_in_value_answered(tmp_path: Path) -> None:
    result = evaluate(tmp_path, [item("a", answered("a", "42")), item("b", failed("b"))], metrics=ALL)
    assert (result.value("cer"), result.value_answered("cer")) == (0.5, 0.0)
    assert (result.value("anls"), result.value_answered("anls")) == (0.5, 1.0)
    assert (result.value("exact_match"), result.value_answered("exact_match")) == (0.5, 1.0)
    assert result.metrics.coverage == 0.5
    assert result.metrics.counts.model_dump() == {"planned": 2, "ok": 1, "error": 1, "skipped": 0}
    assert {(metric.n, metric.n_error) for metric in result.metrics.metrics} == {(2, 1)}


@pytest.mark.parametrize("status", ["error", "refused", "context_overflow", "skipped_budget"])
def test_error_text_is_never_scored(status: str, tmp_path: Path) -> None:
    """V3: even where a server put the right answer into its error text."""
    wrong = failed("a", status=status, text="42")
    result = evaluate(tmp_path, [item("a", wrong)], metrics=ALL)
    [score] = result.scores
    assert score.scores == dict.fromkeys(ALL)
    assert (score.status, score.matched_reference, score.extracted) == (status, None, None)
    assert result.value("exact_match") == 0.0
    assert result.value_answered("exact_match") is None


def test_skipped_is_counted_apart(tmp_path: Path) -> None:
    items = [item("a", failed("a", status="skipped_budget")), item("b", failed("b"))]
    assert evaluate(tmp_path, items).metrics.counts.model_dump() == {
        "planned": 2,
        "ok": 0,
        "error": 1,
        "skipped": 1,
    }


def test_truncated_answers_are_scored_and_told(tmp_path: Path) -> None:
    result = evaluate(tmp_path, [item("a", answered("a", "42", status="truncated"))], metrics=ALL)
    assert result.sample("exact_match") == [1.0]
    assert result.scores[0].status == "truncated"
    assert result.metrics.warnings == ("truncated answers, scored as they are: 1 (a)",)


def test_truncated_without_a_text_is_an_error(tmp_path: Path) -> None:
    lost = Prediction(sample_id="a", request_hash="h", status="truncated")
    assert evaluate(tmp_path, [item("a", lost)]).metrics.counts.error == 1


def test_ok_without_a_text_is_an_error_and_told(tmp_path: Path) -> None:
    lost = Prediction(sample_id="a", request_hash="h", status="ok")
    result = evaluate(tmp_path, [item("a", lost)])
    assert result.metrics.counts.error == 1
    assert result.metrics.warnings == ("records without a text, counted as errors: 1 (a)",)


def test_an_empty_answer_is_an_answer(tmp_path: Path) -> None:
    result = evaluate(tmp_path, [item("a", answered("a", ""), reference="Ян")], metrics=("cer",))
    assert result.sample("cer") == [1.0]
    assert result.metrics.counts.ok == 1


def test_a_planned_sample_without_a_record_is_refused(tmp_path: Path) -> None:
    result = evaluate(tmp_path, [item("a", answered("a", "42")), item("b", None)])
    assert result.code == 2
    assert result.fatal["code"] == "VHB501"
    assert result.fatal["message"] == "planned samples have no record in predictions.jsonl: 1 (b)"
    assert "hint" in result.fatal
    assert not (result.out / "metrics.json").exists()


def test_a_record_that_was_not_planned_is_refused(tmp_path: Path) -> None:
    evaluate(tmp_path, [item("a", answered("a", "42"))])
    journal = tmp_path / "in/predictions/predictions.jsonl"
    journal.write_text(journal.read_text() + answered("zz", "42").model_dump_json() + "\n")
    result = run_stage(tmp_path / "again", **folders(tmp_path))
    assert result.code == 2
    assert "not planned: 1 (zz)" in result.fatal["message"]


def test_the_last_valid_line_wins_and_a_torn_tail_is_ignored(tmp_path: Path) -> None:
    evaluate(tmp_path, [item("a", failed("a")), item("b", answered("b", "0"))])
    journal = tmp_path / "in/predictions/predictions.jsonl"
    torn = answered("b", "42").model_dump_json()[:-9]
    journal.write_text(journal.read_text() + answered("a", "42").model_dump_json() + "\n" + torn)
    result = run_stage(tmp_path / "again", **folders(tmp_path), metrics=("exact_match",))
    assert result.sample("exact_match") == [1.0, 0.0]
    assert result.metrics.warnings == ("unreadable lines in predictions.jsonl, ignored: 1",)


def test_two_different_answers_are_told_and_a_retry_is_not(tmp_path: Path) -> None:
    evaluate(tmp_path, [item("a", answered("a", "1")), item("b", failed("b")), item("c", answered("c", "1"))])
    journal = tmp_path / "in/predictions/predictions.jsonl"
    more = "".join(
        answered(name, text).model_dump_json() + "\n" for name, text in [("a", "2"), ("b", "2"), ("c", "1")]
    )
    journal.write_text(journal.read_text() + more)
    result = run_stage(tmp_path / "again", **folders(tmp_path))
    assert result.metrics.warnings == ("samples with more than one answer, the last is used: 1 (a)",)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"metrics": ("cerr",)}, "unknown metric 'cerr'; nearest: cer"),
        ({"metrics": ("no.module:X",)}, "does not load"),
        ({"profile": "upstream-9"}, "unknown metrics profile 'upstream-9'"),
        ({"extraction": "magic"}, "unknown extraction 'magic'"),
        ({"metrics": ("cer",), "primary": "anls"}, "the primary metric 'anls' is not evaluated"),
        ({"labels": "/vlmhb/in/nowhere"}, "labels.jsonl is not there"),
        ({"inputs": "/vlmhb/in/nowhere"}, "samples.jsonl is not there"),
        ({"annotation": "/vlmhb/in/nowhere.csv"}, "nowhere.csv"),
    ],
)
def test_what_cannot_be_done_is_one_line(spec: dict[str, object], message: str, tmp_path: Path) -> None:
    result = evaluate(tmp_path, [item("a", answered("a", "42"))], **spec)
    assert result.code == 2
    assert message in result.fatal["message"]


def test_damaged_samples_are_refused(tmp_path: Path) -> None:
    evaluate(tmp_path, [item("a", answered("a", "42"))])
    samples = tmp_path / "in/inputs/samples.jsonl"
    samples.write_text(samples.read_text() * 2)
    assert "repeats sample ids: 1 (a)" in run_stage(tmp_path / "x", **folders(tmp_path)).fatal["message"]
    samples.write_text("{}\n")
    assert "line 1 is no sample" in run_stage(tmp_path / "y", **folders(tmp_path)).fatal["message"]


def test_a_bad_label_costs_one_sample(tmp_path: Path) -> None:
    """V4: no label, an empty one and a broken one; the rest is scored."""
    good, none, empty = (
        Item(sample_id=name, references=references, prediction=answered(name, "x"))
        for name, references in [("good", ("x",)), ("none", ()), ("empty", (" ",))]
    )
    result = evaluate(tmp_path, [good, none, empty], metrics=("cer",))
    assert result.sample("cer") == [0.0, None, None]
    assert result.value("cer") == 0.0
    assert result.metrics.metrics[0].n == 1
    assert result.metrics.warnings == (
        "cer: undefined, no reference: 1 (none)",
        "cer: undefined, the reference is empty: 1 (empty)",
    )


def test_every_flag_has_words() -> None:
    """`failed` is told with the message of the metric's own code."""
    assert set(WHY) == set(get_args(Flag)) - {"failed"}


def folders(root: Path) -> dict[str, str]:
    return {name: str(root / "in" / name) for name in ("inputs", "labels", "predictions")}
