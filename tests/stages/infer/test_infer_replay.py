"""Recorded answers are joined by id, exactly as they stand in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from infer_bench import Bench, sample, samples
from vlmhb_stages.answers import BadAnswers, read_answers
from vlmhb_stages.contracts import SampleError
from vlmhb_stages.specs import InferSpec, ReplayBackend


def replay(bench: Bench, content: bytes, **changes: object) -> InferSpec:
    (bench.root / "in/answers").write_bytes(content)
    return bench.spec(ReplayBackend(), **changes)


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("delimiter", [b";", b","])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("name", [b"id", b"sample_id"])
def test_dialects(bench: Bench, bom: bytes, delimiter: bytes, end: bytes, name: bytes) -> None:
    bench.write_samples(samples(2))
    header = name + delimiter + b"model_answer"
    rows = [b"s1" + delimiter + "«Ё»".encode(), b"s0" + delimiter + b'"a ""b""; c,\nd"']
    assert bench.run(replay(bench, bom + end.join([header, *rows]) + end)) == 0
    assert [record.text for record in bench.predictions] == ['a "b"; c,\nd', "«Ё»"]
    assert {(record.status, record.attempts) for record in bench.predictions} == {("ok", 0)}
    assert bench.summary.requests == 0


@pytest.mark.parametrize("text", ["NA", "None", "null", "", "007", "1.50", " x ", "True", "ы" * 200_000])
def test_texts_stay_texts(bench: Bench, text: str) -> None:
    """V5, T7."""
    bench.write_samples(samples(1))
    assert bench.run(replay(bench, f"id;model_answer\ns0;{text}\n".encode())) == 0
    assert bench.predictions[0].text == text


def test_json_lines(bench: Bench) -> None:
    bench.write_samples(samples(3))
    content = (
        b'{"sample_id": "s2", "text": "two"}\n\n{"id": "s0", "model_answer": 7}\n{"id": "s1", "text": null}\n'
    )
    assert bench.run(replay(bench, content)) == 0
    assert [record.text for record in bench.predictions] == ["7", None, "two"]
    assert bench.by_id["s1"].error is not None and bench.by_id["s1"].error.kind == "missing_answer"


def test_missing_surplus_and_repeated_answers_are_told(bench: Bench) -> None:
    """U2, T8."""
    bench.write_samples(samples(3))
    content = b"id;model_answer\ns0;first\nghost;x\ns0;second\ns2;two\n"
    assert bench.run(replay(bench, content)) == 0
    assert bench.by_id["s0"].text == "second"
    missing = bench.by_id["s1"]
    assert missing.status == "error" and missing.error is not None and missing.error.kind == "missing_answer"
    messages = [event["message"] for event in bench.events("warning")]
    assert len(messages) == 3
    assert messages[2] == "sample s1: missing_answer: the answers file has no such id"
    assert messages[0].endswith("for s0") and messages[1].startswith("1 answers") and "ghost" in messages[1]
    assert bench.summary.counts.model_dump() == {"planned": 3, "ok": 2, "error": 1, "skipped": 0}


def test_an_answer_given_elsewhere_counts_although_the_image_is_missing_here(bench: Bench) -> None:
    bad = SampleError(kind="bad_image", message="gone.png: no such file")
    bench.write_samples([sample("s0", error=bad), sample("s1", error=bad)])
    assert bench.run(replay(bench, b"id;model_answer\ns0;read it\n")) == 0
    assert bench.by_id["s0"].text == "read it"
    assert bench.by_id["s1"].error == bad


def test_new_answers_under_a_new_identity_replace_the_old(bench: Bench) -> None:
    bench.write_samples(samples(1))
    assert bench.run(replay(bench, b"id;model_answer\ns0;old\n")) == 0
    assert bench.run(replay(bench, b"id;model_answer\ns0;new\n", model_identity="id-2")) == 0
    assert [record.text for record in bench.predictions] == ["new"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("id;model_answer\ns0;ё\n".encode("cp1251"), "UTF-8"),
        (b"", "line 1"),
        (b"number;model_answer\n", "sample_id or id"),
        (b"id;words\n", "model_answer or text"),
        (b"id;model_answer\ns0\n", "line 2"),
        (b'{"sample_id": "s0"}\n', "line 1"),
        (b'{"sample_id": "s0", "text": "x"}\nnot json\n', "line 2"),
    ],
)
def test_unreadable_answers_end_the_run_with_a_place(bench: Bench, content: bytes, told: str) -> None:
    bench.write_samples(samples(1))
    assert bench.run(replay(bench, content)) == 3
    assert told in bench.events("fatal")[0]["message"]


def test_no_answers_file(bench: Bench) -> None:
    bench.write_samples(samples(1))
    assert bench.run(bench.spec(ReplayBackend())) == 3
    assert "No such file" in bench.events("fatal")[0]["message"]


def test_a_folder_stands_for_its_only_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id;model_answer\nx;y\n")
    assert read_answers(tmp_path).texts == {"x": "y"}
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(BadAnswers, match="2 files"):
        read_answers(tmp_path)
