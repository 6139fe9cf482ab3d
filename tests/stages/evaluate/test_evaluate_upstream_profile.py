"""Profile upstream-0.1 equals upstream's evaluator, number for number and byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from evaluate_case import UPSTREAM, Item, Result, answered, evaluate, evaluate_upstream

PROFILE = "upstream-0.1"
AGGREGATORS = ("by_id", "by_doc_question", "by_doc_type", "general")


def parity(root: Path, name: str, **spec: Any) -> Result:
    answers = str(UPSTREAM / name / "answers.csv")
    return evaluate_upstream(root, name, profile=PROFILE, answers=answers, **spec)


@pytest.mark.parametrize("aggregator", AGGREGATORS)
@pytest.mark.parametrize("name", ["snils", "demo", "demo_shuffled", "demo_subset", "fidelity", "numbers"])
def test_files_are_byte_identical(name: str, aggregator: str, tmp_path: Path) -> None:
    result = parity(tmp_path, name, legacy_stem="x_answers_20250101_000000")
    assert result.code == 0
    found = (result.out / "legacy" / f"x_answers_20250101_000000_{aggregator}.csv").read_bytes()
    assert found == (UPSTREAM / name / f"expected_{aggregator}.csv").read_bytes()


def test_t3_published_numbers(tmp_path: Path) -> None:
    result = parity(tmp_path, "snils")
    assert result.sample("cer") == [
        0.0,
        2.3333333333333335,
        1.375,
        1.7142857142857142,
        0.8823529411764706,
        0.9,
        9.375,
        2.5,
        0.7142857142857143,
    ]
    assert result.sample("wer") == [0, 2, 2, 2, 0.5, 0.5, 6, 2, 1]
    assert result.value("wer") == 1.5714285714285714
    assert result.value("cer") == 1.9230769230769231
    assert result.value("bleu") == 20.711639052416057
    assert sum(value or 0 for value in result.sample("cer")) / 9 == pytest.approx(2.1993619670090263)


def test_t4_published_numbers(tmp_path: Path) -> None:
    result = parity(tmp_path, "demo")
    [general] = result.legacy("general")
    assert general == {
        "wer_error": "0.425531914893617",
        "cer_error": "0.25396825396825395",
        "bleu_score": "48.030256511464266",
    }
    classes = {row["doc_class"]: row for row in result.legacy("by_doc_type")}
    assert classes["passport"]["wer_error"] == "0.6206896551724138"
    assert classes["passport"]["cer_error"] == "0.39195979899497485"
    assert classes["invoice"]["cer_error"] == "0.017241379310344827"
    questions = {(row["doc_class"], row["question_type"]): row for row in result.legacy("by_doc_question")}
    assert questions["passport", "Серия и номер паспорта"]["cer_error"] == "0.15384615384615385"
    assert questions["invoice", "Номер счет-фактуры"]["bleu_error"] == "0.0"


def test_t5_filtered_answers_against_the_full_annotation(tmp_path: Path) -> None:
    result = parity(tmp_path, "demo_subset")
    assert [row["id"] for row in result.legacy("by_id")] == ["0", "7"]
    assert result.legacy("general")[0]["cer_error"] == "0.15384615384615385"


def test_metrics_json_says_the_profile_and_version(tmp_path: Path) -> None:
    result = parity(tmp_path, "snils")
    assert result.metrics.profile == PROFILE
    assert {metric.version for metric in result.metrics.metrics} == {PROFILE}
    assert {metric.ci_low for metric in result.metrics.metrics} == {None}


def test_slices_have_upstreams_group_values(tmp_path: Path) -> None:
    result = parity(tmp_path, "demo")
    slices = {(one.key, one.value): one.metrics for one in result.metrics.slices}
    values = {metric.name: metric.value for metric in slices["doc_class", "passport"]}
    [passport] = [row for row in result.legacy("by_doc_type") if row["doc_class"] == "passport"]
    assert values["cer"] == float(passport["cer_error"])
    assert values["bleu"] == float(passport["bleu_error"])


def test_t7_pandas_damage(tmp_path: Path) -> None:
    result = parity(tmp_path, "fidelity")
    by_question = {row["question"]: row for row in result.legacy("by_id")}
    assert by_question["Напиши empty answer"]["cer_error"] == "1.5"
    assert by_question["Напиши null"]["cer_error"] == "0.0"
    assert by_question["Напиши quoted"]["cer_error"] == "0.23809523809523808"
    one_beside_empty = parity(tmp_path / "numbers", "numbers").sample("cer")[2]
    assert one_beside_empty == 2.0


def test_t8_shuffled_answers_break_general_only(tmp_path: Path) -> None:
    straight, shuffled = parity(tmp_path / "a", "demo"), parity(tmp_path / "b", "demo_shuffled")
    assert straight.legacy("by_doc_type") == shuffled.legacy("by_doc_type")
    assert (shuffled.value("cer") or 0) > 1.0


@pytest.mark.parametrize(
    "content",
    [
        "id,model_answer\n1,b\n0,a\n",
        "model_answer;id\nb;1\na;0\n",
        "id;model_answer\n 1;b\n0 ;a\n",
        'id;model_answer\n1;b\n0;"a"\n',
        'id;model_answer\n1;"b" \n0;a\n',
    ],
)
def test_every_answers_file_that_infer_reads_gives_the_order(content: str, tmp_path: Path) -> None:
    answers = tmp_path / "in.csv"
    answers.write_text(content)
    items = [
        Item(sample_id=sample_id, references=(text,), prediction=answered(sample_id, text))
        for sample_id, text in (("0", "a"), ("1", "b"))
    ]
    result = evaluate(tmp_path, items, profile=PROFILE, answers=str(answers), metrics=("cer",))
    assert [row["id"] for row in result.legacy("by_id")] == ["1", "0"]
    assert result.value("cer") == 1.0  # `general` pairs the first answer, "b", with the first gold text, "a"


def test_without_the_answers_file_rows_are_in_planned_order(tmp_path: Path) -> None:
    result = evaluate_upstream(tmp_path, "demo_shuffled", profile=PROFILE)
    assert result.value("cer") == 0.25396825396825395


def test_missing_answers_are_left_out_as_upstream_does(tmp_path: Path) -> None:
    """U2 as upstream has it: dropping the three worst answers improves the score."""
    result = parity(tmp_path, "demo", drop=("1", "2", "3"))
    assert result.value("cer") == result.value_answered("cer")
    assert (result.value("cer") or 1) < 0.25396825396825395
    assert len(result.legacy("by_id")) == 19
    assert result.metrics.counts.error == 3


def test_blank_gold_aborts_upstream_but_not_us(tmp_path: Path) -> None:
    items = [
        Item(sample_id="0", references=("  ",), prediction=answered("0", "x")),
        Item(sample_id="1", references=("a",), prediction=answered("1", "a")),
    ]
    result = evaluate(tmp_path, items, profile=PROFILE, metrics=("cer", "exact_match"))
    assert result.code == 0
    assert [path.name for path in sorted((result.out / "legacy").iterdir())] == ["answers.csv"]
    assert result.value("cer") is None
    assert result.value("exact_match") == 0.5
    assert "upstream's evaluator stops here" in result.metrics.warnings[0]


def test_metrics_that_upstream_has_not_keep_their_own_rules(tmp_path: Path) -> None:
    plain = evaluate_upstream(tmp_path / "a", "demo", metrics=("anls",))
    profile = parity(tmp_path / "b", "demo", metrics=("anls", "CER"))
    assert profile.value("anls") == plain.value("anls")
    assert list(profile.legacy("general")[0]) == ["cer_error"]


def test_works_without_an_annotation_file(tmp_path: Path) -> None:
    items = [
        Item(sample_id="b", references=("1",), prediction=answered("b", "1"), metadata={"doc_class": "x"}),
        Item(sample_id="a", references=("7",), prediction=answered("a", ""), metadata={"doc_class": "x"}),
    ]
    result = evaluate(tmp_path, items, profile=PROFILE, metrics=("cer",))
    assert result.sample("cer") == [2.0, 3.0]
    assert [row["id"] for row in result.legacy("by_id")] == ["b", "a"]
