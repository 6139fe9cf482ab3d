"""V5 and T7: every text comes through the stage as it went in, and is scored as what it is."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from evaluate_case import Item, answered, evaluate, evaluate_upstream

TEXTS = [
    "NA",
    "N/A",
    "None",
    "null",
    "nan",
    "",
    " ",
    "007",
    "1.50",
    "True",
    "1e5",
    "-0",
    "line\nbreak",
    "line\r\nbreak",
    "bare\rreturn",
    "nul \0 and \x01\x1f controls",
    '"quoted"',
    '"',
    ";",
    'ООО "Ромашка"; Москва\nстр2',
    "ё й и\u0306 « » 😀",
    "\ufeffBOM",
    "\u2028 \u0085 \x0b\x0c",
    "=1+1",
    "x" * 40_000,
]


def test_round_trip(tmp_path: Path) -> None:
    items = [
        Item(sample_id=str(index), references=(text,), prediction=answered(str(index), text))
        for index, text in enumerate(TEXTS)
    ]
    result = evaluate(tmp_path, items, metrics=("exact_match",))
    assert result.sample("exact_match") == [1.0] * len(TEXTS)
    assert [score.matched_reference for score in result.scores] == TEXTS
    for name in ("", "by_id"):
        assert [row["model_answer"] for row in result.legacy(name)] == TEXTS


@pytest.mark.parametrize(
    ("answer", "reference"), [("007", "7"), ("None", "null"), ("NA", "N/A"), ("1.50", "1.5")]
)
def test_texts_that_look_alike_differ(answer: str, reference: str, tmp_path: Path) -> None:
    item = Item(sample_id="0", references=(reference,), prediction=answered("0", answer))
    assert evaluate(tmp_path, [item], metrics=("exact_match",)).value("exact_match") == 0.0


def test_t7_right_values(tmp_path: Path) -> None:
    result = evaluate_upstream(tmp_path, "fidelity")
    rows = {row["question"].removeprefix("Напиши "): row for row in result.legacy("by_id")}
    assert rows["empty answer"]["cer_error"] == "1.0"
    assert rows["one beside empty"]["cer_error"] == "0.0"
    assert rows["None"]["cer_error"] == "1.0"
    assert rows["quoted"]["cer_error"] == "0.23809523809523808"
    assert rows["quoted"]["wer_error"] == "0.3333333333333333"
    assert rows["leading zeros"]["answer"] == "0044"
    assert rows["None"]["doc_class"] == "NA"
    assert evaluate_upstream(tmp_path / "n", "numbers").sample("cer") == [0.5, 0.5, 0.0, 1.0]


def test_an_annotation_column_named_id_is_left_out(tmp_path: Path) -> None:
    annotation = tmp_path / "annotation.csv"
    with annotation.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";").writerows([["id", "answer"], ["77", "a"]])
    item = Item(sample_id="0", references=("a",), prediction=answered("0", "a"))
    result = evaluate(tmp_path, [item], metrics=("cer",), annotation=str(annotation))
    assert result.legacy("by_id") == [{"id": "0", "model_answer": "a", "answer": "a", "cer_error": "0.0"}]
