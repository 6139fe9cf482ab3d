"""Each format is laid out as its tool expects, repeats itself, and holds no references unless they were asked for."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import replace
from typing import Any

import pytest
import yaml
from export_case import AWKWARD, SECRET, STATES, evaluated, files, one_file
from vlmhb.errors import ExportRefused
from vlmhb.exporting import FORMATS, export

ALL = sorted(FORMATS)
PLACES = {
    "csv",
    "jsonl",
    "lmms-eval",
    "inspect",
    "vlmevalkit",
    "upstream",
}  # formats with a place for references


def content(data: bytes) -> bytes:
    """A log of inspect_ai unpacked."""
    if not data.startswith(b"PK"):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


@pytest.mark.parametrize("name", ALL)
def test_references_are_exported_only_when_they_are_asked_for(name: str) -> None:
    """Also where the caller has them at hand."""
    one = evaluated(references=True)
    if name == "vlmevalkit":
        with pytest.raises(ExportRefused, match="--with-references"):
            export(name, [one], references=False)
    else:
        made = export(name, [one], references=False)
        assert all(SECRET.encode() not in content(data) for data in files(made).values())
    made = export(name, [one], references=True)
    held = any(SECRET.encode() in content(data) for data in files(made).values())
    assert held == (name in PLACES)


@pytest.mark.parametrize("name", ALL)
def test_the_same_results_give_the_same_files(name: str) -> None:
    first, second = (files(export(name, [evaluated(references=True)], references=True)) for _ in range(2))
    assert first == second
    assert all(not path.startswith("/") and ".." not in path for path in first)


def test_vlmevalkit() -> None:
    made = export("vlmevalkit", [evaluated(references=True)], references=True)
    assert list(files(made)) == ["org-m/T20260806-101112/org-m_docs.tsv"]
    rows = list(
        csv.DictReader(io.StringIO(one_file(made, suffix=".tsv").decode(), newline=""), delimiter="\t")
    )
    assert list(rows[0]) == ["index", "question", "answer", "doc_class", "prediction"]
    assert rows[0]["answer"] == f"['{SECRET}', '{SECRET} 2']" and rows[0]["question"] == "Question s0?"
    assert [row["prediction"] for row in rows[: len(AWKWARD)]] == list(AWKWARD)
    assert rows[-1]["prediction"].startswith("Failed to obtain answer")
    told = "\n".join(made.notes)
    assert "4 samples without an answer" in told and "1 truncated" in told and "4 answers like NA" in told


def test_lmms_eval() -> None:
    made = files(export("lmms-eval", [evaluated(references=True)], references=True))
    assert list(made) == ["org__m/20260806_101112_samples_docs.jsonl", "org__m/20260806_101112_results.json"]
    samples = [
        json.loads(line) for line in made["org__m/20260806_101112_samples_docs.jsonl"].split(b"\n") if line
    ]
    assert [sample["doc_id"] for sample in samples] == list(range(len(AWKWARD) + len(STATES)))
    assert samples[0]["target"] == f"['{SECRET}', '{SECRET} 2']" and samples[0]["cer"] == 0.25
    assert samples[-1]["filtered_resps"] == "[LMMS_EVAL_BUDGET_EXCEEDED]"
    results = json.loads(made["org__m/20260806_101112_results.json"])
    assert results["results"]["docs"]["cer,none"] == 0.3
    assert results["results"]["docs"]["cer_stderr,none"] == pytest.approx(0.2 / 3.92, abs=1e-4)
    assert results["higher_is_better"] == {"docs": {"cer": False}}
    assert results["n-samples"]["docs"] == {"original": 26, "effective": 22}


def test_inspect() -> None:
    made = files(export("inspect", [evaluated(references=True)], references=True))
    (name,) = made
    assert name.startswith("2026-08-06T10-11-12_docs_") and name.endswith(".eval")
    with zipfile.ZipFile(io.BytesIO(made[name])) as archive:
        names = archive.namelist()
        values: dict[str, Any] = {name: json.loads(archive.read(name)) for name in names}
    assert {"header.json", "_journal/start.json", "summaries.json"} <= set(names)
    header = values["header.json"]
    assert header["version"] == 2 and header["status"] == "success"
    assert header["eval"]["dataset"]["sample_ids"][:2] == ["s0", "s1"] and header["eval"]["model"] == "org/m"
    assert header["results"]["scores"][0]["metrics"]["mean"]["value"] == 0.3
    sample = values["samples/s0_epoch_1.json"]
    assert [message["role"] for message in sample["messages"]] == ["system", "user", "assistant"]
    assert sample["output"]["choices"][0]["stop_reason"] == "stop" and sample["target"][0] == SECRET
    assert values["samples/error_epoch_1.json"]["error"]["message"] == "timeout: why error"
    assert values["samples/error_epoch_1.json"]["output"]["choices"] == []
    assert len(values["summaries.json"]) == 26 == len([name for name in names if name.startswith("samples/")])


def test_upstream() -> None:
    made = export("upstream", [evaluated(references=True)], references=True)
    stem = "docs_vLLM_m_VQA_answers_20260806_101112"
    assert sorted(files(made)) == [
        f"ModelsAnswers/{stem}.csv", f"ModelsMetrics/{stem}_by_id.csv", f"ModelsMetrics/{stem}_general.csv",
    ]  # fmt: skip
    answers = one_file(made, suffix="101112.csv")
    assert answers.startswith(b"\xef\xbb\xbfid;model_answer\ns0;NA\n") and b"s4;007\n" in answers
    assert b's11;"""\x22\n' in answers and b'"CR\rLF\r\nend\r"' in answers
    assert any("4 samples without an answer" in note for note in made.notes)
    bare = export("upstream", [evaluated(references=False, legacy={}, metrics=None)], references=False)
    assert list(files(bare)) == ["ModelsAnswers/docs_vLLM_org-m_VQA_answers_20260806_101112.csv"]
    assert any("not evaluated" in note for note in bare.notes)


def test_model_index() -> None:
    two = [evaluated(references=False), evaluated(references=False, id_="other", metrics=None)]
    made = export("model-index", two, references=False)
    assert list(files(made)) == ["org-m/model-index.yaml"]
    (entry,) = yaml.safe_load(one_file(made, suffix=".yaml"))["model-index"]
    assert entry["name"] == "org/m"
    (result,) = entry["results"]
    assert result["task"]["type"] == "document-question-answering"
    assert result["dataset"] == {"name": "docs", "type": "docs", "revision": "abc"}
    assert result["metrics"][0]["type"] == "cer" and result["metrics"][0]["value"] == 0.3
    assert made.notes == ("other: left out, it was not evaluated",)


def test_leaderboard() -> None:
    made = export("leaderboard", [evaluated(references=False)], references=False)
    value = json.loads(one_file(made, suffix="org-m/results_20260806_101112.json"))
    assert value["config_general"]["model_name"] == "org/m" and value["config_general"]["model_sha"] == "f00d"
    assert value["results"] == {"docs": {"cer": 0.3, "cer_ci_low": 0.2, "cer_ci_high": 0.4}}
    assert value["coverage"] == {"docs": 0.85}


def test_a_leaderboard_has_one_evaluation_of_a_benchmark() -> None:
    two = [evaluated(references=False), evaluated(references=False, id_="docs-m-2")]
    with pytest.raises(ExportRefused, match="2 evaluations of org/m on docs"):
        export("leaderboard", two, references=False)


def test_more_choices_than_letters_move_no_column() -> None:
    one = evaluated(references=True)
    many = one.answers[0].sample.model_copy(update={"choices": tuple(f"class {n}" for n in range(30))})
    one = replace(one, answers=(replace(one.answers[0], sample=many),))
    made = export("vlmevalkit", [one], references=True)
    (row,) = csv.DictReader(io.StringIO(one_file(made, suffix=".tsv").decode(), newline=""), delimiter="\t")
    assert list(row) == ["index", "question", "answer", "doc_class", "prediction"]
    assert row["prediction"] == AWKWARD[0]
    assert any("more choices than letters" in note for note in made.notes)


def test_tables() -> None:
    one = evaluated(references=True)
    made = export("csv", [one], references=True)
    rows = list(csv.DictReader(io.StringIO(one_file(made, suffix="docs-m.csv").decode(), newline="")))
    assert [row["text"] for row in rows[: len(AWKWARD)]] == list(AWKWARD)
    assert rows[0]["score.cer"] == "0.25" and rows[0]["metadata.doc_class"] == "even"
    assert rows[-1]["status"] == "skipped_budget" and rows[-1]["error"] == "budget: why skipped_budget"
    assert json.loads(rows[0]["references"]) == [SECRET, f"{SECRET} 2"]
    assert any("1 answers start with" in note for note in made.notes)
    lines = one_file(export("jsonl", [one], references=True), suffix=".jsonl").split(b"\n")
    record = json.loads(lines[0])
    assert record["references"] == [SECRET, f"{SECRET} 2"] and record["scores"] == {"cer": 0.25}
