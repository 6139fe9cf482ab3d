"""Streaming reads: the last valid line wins, and what cannot be read is told."""

from __future__ import annotations

from pathlib import Path

from report_artifacts import prediction, score, write_lines
from vlmhb_stages.contracts import InferSummary, Prediction, Score
from vlmhb_stages.report.read import Reader


def finals(path: Path | None, reader: Reader) -> list[Prediction]:
    found: list[Prediction] = []
    reader.final_predictions(path, keep=found.append)
    return found


def test_the_last_valid_line_of_a_sample_wins(tmp_path: Path) -> None:
    path, reader = tmp_path / "predictions.jsonl", Reader()
    write_lines(path, [prediction("a", text="1"), prediction("b", text="2"), prediction("a", text="3")])
    with path.open("ab") as file:
        file.write(b'{"sample_id": "b", "request_hash": "h", "sta')
    assert [(record.sample_id, record.text) for record in finals(path, reader)] == [("b", "2"), ("a", "3")]
    assert reader.warnings == ["predictions.jsonl: 1 unreadable lines left out"]


def test_no_folder_is_silent_and_a_missing_file_is_not(tmp_path: Path) -> None:
    reader = Reader()
    assert finals(None, reader) == []
    assert reader.whole(None, InferSummary) is None
    assert reader.warnings == []
    assert finals(tmp_path / "predictions.jsonl", reader) == []
    assert reader.whole(tmp_path / "summary.json", InferSummary) is None
    assert reader.warnings == ["predictions.jsonl is missing", "summary.json is missing"]


def test_an_invalid_file_is_a_warning(tmp_path: Path) -> None:
    reader = Reader()
    (tmp_path / "summary.json").write_text("{}")
    assert reader.whole(tmp_path / "summary.json", InferSummary) is None
    assert reader.warnings == ["summary.json cannot be read: Field required"]


def test_records_keep_their_order_and_text(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    texts = ["NA", "", "007", "a\r\nb", "Ёж\u2028", "x" * 40_000]
    write_lines(path, [score(str(index), 0.5, reference=text) for index, text in enumerate(texts)])
    found: list[Score] = []
    Reader().each(path, Score, keep=found.append)
    assert [record.matched_reference for record in found] == texts
