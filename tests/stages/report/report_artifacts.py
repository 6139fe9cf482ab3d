"""Handmade artifact folders for the report tests: what the other stages would have left."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmhb_stages.contracts import (
    Counts,
    ExtractionRate,
    InferSummary,
    Label,
    MetricsFile,
    MetricValue,
    Prediction,
    Record,
    Sample,
    Score,
    SliceMetrics,
)
from vlmhb_stages.events import EventWriter
from vlmhb_stages.report import run
from vlmhb_stages.specs import ReportEvaluation, ReportSpec

CREATED = 1_760_000_000.0  # 2025-10-09T08:53:20 UTC
FILES = ("report.html", "report.md", "report.json", "summary.csv")
INFO: dict[str, Any] = {
    "model": "RapidOCR",
    "benchmark": "docs-ru",
    "task_type": "ocr",
    "engine": "docker",
    "scheduler": "local",
    "isolation": "container",
    "network": "none",
    "not_enforced": [],
    "status": "done",
    "failure": None,
    "warnings": [],
    "primary": "CER",
    "provenance": {
        "image": "vlmhb/stages:0.2.0",
        "image_digest": "sha256:aa",
        "host": "node1",
        "gpus": [],
        "seed": 0,
    },
}


def write_lines(path: Path, records: Iterable[Record | Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (r.model_dump_json() if isinstance(r, Record) else json.dumps(r) for r in records)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_record(path: Path, record: Record) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(record.model_dump_json(), encoding="utf-8")


def metric(name: str = "CER", value: float | None = 0.25, **changes: Any) -> MetricValue:
    given: dict[str, Any] = {
        "name": name, "version": "1", "value": value, "value_answered": value, "n": 4, "n_error": 0,
        "direction": "lower", **changes,
    }  # fmt: skip
    return MetricValue(**given)


def prediction(sample_id: str, **changes: Any) -> Prediction:
    given: dict[str, Any] = {
        "sample_id": sample_id,
        "request_hash": "h",
        "status": "ok",
        "text": "text",
        **changes,
    }
    return Prediction(**given)


def score(
    sample_id: str, value: float | None, *, reference: str | None = "reference", **changes: Any
) -> Score:
    given: dict[str, Any] = {
        "sample_id": sample_id, "scores": {"CER": value}, "matched_reference": reference, "extracted": None,
        "status": "ok", **changes,
    }  # fmt: skip
    return Score(**given)


def sample(sample_id: str, *, question: str = "Read the page.", **metadata: str) -> Sample:
    return Sample.model_validate(
        {"sample_id": sample_id, "messages": [{"role": "user", "content": question}], "metadata": metadata}
    )


@dataclass(kw_only=True)
class Artifacts:
    """One evaluation's folders. None = that stage did not finish."""

    id: str = "docs-ru-rapidocr"
    info: dict[str, Any] = field(default_factory=dict)
    samples: list[Sample] | None = None
    predictions: list[Prediction] | None = None
    attempts: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0
    scores: list[Score] | None = None
    metrics: list[MetricValue] = field(default_factory=list)
    slices: list[SliceMetrics] = field(default_factory=list)
    extraction: ExtractionRate | None = None

    def counts(self) -> Counts:
        planned = len(self.samples or ())
        ok = sum(record.status in ("ok", "truncated") for record in self.predictions or ())
        return Counts(planned=planned, ok=ok, error=planned - ok)

    def write(self, root: Path) -> ReportEvaluation:
        """The folders under `root`, named as a spec names them."""
        folder = root / self.id
        if self.samples is not None:
            write_lines(folder / "inputs/samples.jsonl", self.samples)
            (folder / "labels").mkdir()
            write_lines(folder / "labels/labels.jsonl", [Label(sample_id="secret", references=("LABEL",))])
        if self.predictions is not None:
            write_lines(folder / "infer/predictions.jsonl", self.predictions)
            write_lines(folder / "infer/attempts.jsonl", self.attempts)
            summary = InferSummary(counts=self.counts(), requests=self.requests)
            write_record(folder / "infer/summary.json", summary)
        if self.scores is not None:
            self._write_evaluate(folder / "evaluate")
        return ReportEvaluation(
            id=self.id,
            inputs=str(folder / "inputs") if self.samples is not None else None,
            infer=str(folder / "infer") if self.predictions is not None else None,
            evaluate=str(folder / "evaluate") if self.scores is not None else None,
            info={**INFO, **self.info},
        )

    def _write_evaluate(self, folder: Path) -> None:
        write_lines(folder / "scores.jsonl", self.scores or ())
        counts = self.counts()
        file = MetricsFile(
            primary=self.metrics[0].name if self.metrics else None,
            profile="default",
            counts=counts,
            coverage=counts.ok / counts.planned if counts.planned else 0.0,
            metrics=tuple(self.metrics),
            slices=tuple(self.slices),
            extraction=self.extraction,
        )
        write_record(folder / "metrics.json", file)


@dataclass(frozen=True, kw_only=True)
class Made:
    """The report's own output folder."""

    out: Path

    def text(self, name: str) -> str:
        return (self.out / name).read_text(encoding="utf-8")

    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.text("report.json"))
        return value

    def evaluation(self) -> dict[str, Any]:
        value: dict[str, Any] = self.json()["evaluations"][0]
        return value


def make_report(root: Path, *artifacts: Artifacts, out: str = "out", title: str = "Documents") -> Made:
    evaluations = tuple(item.write(root / out / "in") for item in artifacts)
    spec = ReportSpec(run_id="quickstart-1a2b3c4d", title=title, evaluations=evaluations)

    def resolve(path: str) -> Path:
        return Path(path.replace("/vlmhb/", f"{root}/{out}/")) if path.startswith("/vlmhb/") else Path(path)

    events = EventWriter(root / out / "events.jsonl", clock=lambda: CREATED)
    assert run(spec, events=events, resolve=resolve, clock=lambda: CREATED) == 0
    events.close()
    return Made(out=root / out / "out")
