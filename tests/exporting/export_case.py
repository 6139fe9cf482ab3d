"""Evaluations to export, made by hand: answers that some writer is known to change, and one of each state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmhb.contracts import BenchmarkCard
from vlmhb.exporting import Evaluated, Export
from vlmhb.exporting.source import Answered
from vlmhb_stages.contracts import (
    AnswerRecord,
    Counts,
    Message,
    MetricsFile,
    MetricValue,
    Prediction,
    Sample,
    SampleError,
)
from vlmhb_stages.events import EventWriter
from vlmhb_stages.import_ import run
from vlmhb_stages.specs import ImportSpec

AWKWARD = (
    "NA", "None", "null", "", "007", "1.50", "True", "=1+1", " padded ", "a,b;c\td", 'q"uo"te', '"', "line\nfeed",
    "CR\rLF\r\nend\r", "\x01\x02\x0b\x1f", "Ёжик «ё»", "й й", "🙂", "a\u2028b\u2029c\x85d", "_x000D_", "ы" * 40_000,
)  # fmt: skip
SECRET = "REFERENCE-ANSWER"  # in no file unless it was asked for
STATES = ("truncated", "error", "refused", "context_overflow", "skipped_budget")


def answered(name: str, text: str | None, *, references: bool, status: str = "ok") -> Answered:
    sample = Sample(
        sample_id=name,
        messages=(
            Message(role="system", content="Be brief."),
            Message(role="user", content=f"Question {name}?"),
        ),
        metadata={"doc_class": "even"},
    )
    kinds = {"refused": "content_filter", "context_overflow": "context_overflow", "skipped_budget": "budget"}
    told = {"kind": kinds.get(status, "timeout"), "message": f"why {name}"}
    error = None if text is not None else SampleError.model_validate(told)
    prediction = Prediction.model_validate(
        {
            "sample_id": name,
            "request_hash": "h",
            "status": status,
            "text": text,
            "error": error,
            "input_tokens": 7,
        }
        | ({"output_tokens": 3, "latency_s": 0.5} if text is not None else {})
    )
    return Answered(
        sample=sample,
        prediction=prediction,
        scores={"cer": 0.25 if text is not None else None},
        references=(SECRET, f"{SECRET} 2") if references else (),
    )


def evaluated(*, references: bool, id_: str = "docs-m", **changes: Any) -> Evaluated:
    answers = [answered(f"s{number}", text, references=references) for number, text in enumerate(AWKWARD)]
    answers += [
        answered(status, "so fa" if status == "truncated" else None, references=references, status=status)
        for status in STATES
    ]
    value = MetricValue(name="cer", version="1", value=0.3, value_answered=0.25, ci_low=0.2, ci_high=0.4,
                        n=len(answers), n_error=4, direction="lower")  # fmt: skip
    metrics = MetricsFile(
        primary="cer",
        profile="default",
        counts=Counts(planned=26, ok=22, error=4),
        coverage=0.85,
        metrics=(value,),
    )
    stem = "docs_vLLM_m_VQA_answers_20260806_101112"
    base: dict[str, Any] = {
        "id": id_,
        "run_id": "test-1",
        "model": "org/m",
        "framework": "vLLM",
        "benchmark": BenchmarkCard(name="docs", loader="jsonl", task_type="vqa", revision="abc"),
        "created": "2026-08-06T10:11:12+00:00",
        "answers": tuple(answers),
        "metrics": metrics,
        "legacy": {
            f"{stem}.csv": b"answers",
            f"{stem}_by_id.csv": SECRET.encode(),
            f"{stem}_general.csv": b"cer_error\n0.25\n",
        },
        "report": {"provenance": {"weights_sha256": "f00d"}},
    }
    return Evaluated(**{**base, **changes})


def files(export: Export) -> dict[str, bytes]:
    return {file.name: file.data for file in export.files}


def one_file(export: Export, *, suffix: str) -> bytes:
    found = [file.data for file in export.files if file.name.endswith(suffix)]
    assert len(found) == 1, [file.name for file in export.files]
    return found[0]


def imported(data: bytes, root: Path, *, like: Evaluated) -> Mapping[str, AnswerRecord]:
    """What the import stage makes of an exported file."""
    (root / "in" / "inputs").mkdir(parents=True, exist_ok=True)
    (root / "out").mkdir(exist_ok=True)
    (root / "in" / "source").write_bytes(data)
    samples = "".join(answer.sample.model_dump_json() + "\n" for answer in like.answers)
    (root / "in" / "inputs" / "samples.jsonl").write_text(samples, encoding="utf-8")
    events = EventWriter(root / "out" / "events.jsonl")
    code = run(
        ImportSpec(format="auto"), events=events, resolve=lambda path: root / path.removeprefix("/vlmhb/")
    )
    events.close()
    assert code == 0, (root / "out" / "events.jsonl").read_text(encoding="utf-8")
    text = (root / "out" / "answers.jsonl").read_bytes().decode()
    records = [AnswerRecord.model_validate(json.loads(line)) for line in text.split("\n") if line]
    return {record.sample_id: record for record in records}
