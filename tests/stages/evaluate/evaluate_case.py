"""Builds the folders that the evaluate stage reads, runs the real stage on them and reads its output back."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmhb_stages.contracts import (
    Label,
    Message,
    MetricsFile,
    MetricValue,
    Prediction,
    Sample,
    SampleError,
    Score,
)
from vlmhb_stages.evaluate import run
from vlmhb_stages.events import EventWriter
from vlmhb_stages.specs import EvaluateSpec

UPSTREAM = Path(__file__).parents[2] / "golden" / "metrics" / "upstream"
LEGACY_METRICS = ("WER", "CER", "BLEU")


def answered(sample_id: str, text: str, **fields: Any) -> Prediction:
    return Prediction(
        sample_id=sample_id, request_hash="h", status=fields.pop("status", "ok"), text=text, **fields
    )


def failed(sample_id: str, **fields: Any) -> Prediction:
    error = SampleError(kind="server_error", message="HTTP 500: the answer is 42")
    return Prediction(
        sample_id=sample_id, request_hash="h", status=fields.pop("status", "error"), error=error, **fields
    )


@dataclass(frozen=True, kw_only=True)
class Item:
    sample_id: str
    references: tuple[str, ...]
    prediction: Prediction | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[str, ...] | None = None
    response_schema: Mapping[str, Any] | None = None
    question: str = "Read."

    @property
    def sample(self) -> Sample:
        return Sample(
            sample_id=self.sample_id,
            messages=(
                Message(role="system", content="Be brief."),
                Message(role="user", content=self.question),
            ),
            metadata=dict(self.metadata),
            choices=self.choices,
            response_schema=dict(self.response_schema) if self.response_schema is not None else None,
        )


@dataclass(frozen=True, kw_only=True)
class Result:
    code: int
    out: Path
    events: tuple[dict[str, Any], ...]

    @property
    def metrics(self) -> MetricsFile:
        return MetricsFile.model_validate_json((self.out / "metrics.json").read_bytes())

    @property
    def scores(self) -> list[Score]:
        lines = (self.out / "scores.jsonl").read_bytes().splitlines()
        return [Score.model_validate_json(line) for line in lines]

    @property
    def fatal(self) -> dict[str, Any]:
        [event] = [event for event in self.events if event["type"] == "fatal"]
        return event

    def metric(self, name: str) -> MetricValue:
        return next(found for found in self.metrics.metrics if found.name == name)

    def slice(self, key: str, value: str) -> dict[str, MetricValue]:
        [found] = [one for one in self.metrics.slices if (one.key, one.value) == (key, value)]
        return {metric.name: metric for metric in found.metrics}

    def value(self, metric: str) -> float | None:
        return next(found.value for found in self.metrics.metrics if found.name == metric)

    def value_answered(self, metric: str) -> float | None:
        return next(found.value_answered for found in self.metrics.metrics if found.name == metric)

    def sample(self, metric: str) -> list[float | None]:
        return [score.scores[metric] for score in self.scores]

    def legacy(self, name: str, *, stem: str = "answers") -> list[dict[str, str]]:
        path = self.out / "legacy" / (f"{stem}_{name}.csv" if name else f"{stem}.csv")
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))


def write_lines(path: Path, records: Iterable[Sample | Label | Prediction]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(record.model_dump_json() + "\n" for record in records), encoding="utf-8")


def evaluate(root: Path, items: Sequence[Item], **spec: Any) -> Result:
    """Predictions are written in the order of `items`; `planned` (ids) overrides the order of the samples."""
    order = {sample_id: rank for rank, sample_id in enumerate(spec.pop("planned", []))}
    planned = sorted(items, key=lambda item: order.get(item.sample_id, 0))
    write_lines(
        root / "in/inputs/samples.jsonl",
        (item.sample for item in planned),
    )
    write_lines(
        root / "in/labels/labels.jsonl",
        (Label(sample_id=item.sample_id, references=item.references) for item in planned),
    )
    write_lines(
        root / "in/predictions/predictions.jsonl", (item.prediction for item in items if item.prediction)
    )
    return run_stage(root, **spec)


def run_stage(root: Path, **spec: Any) -> Result:
    out = root / "out"
    events = EventWriter(out / "events.jsonl", clock=lambda: 0.0)
    code = run(
        EvaluateSpec(**{"metrics": LEGACY_METRICS, "bootstrap_draws": 50, **spec}),
        events=events,
        resolve=lambda path: (
            Path(path.replace("/vlmhb", str(root), 1)) if path.startswith("/vlmhb") else Path(path)
        ),
    )
    events.close()
    lines = (out / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return Result(code=code, out=out, events=tuple(json.loads(line) for line in lines))


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def upstream_items(name: str, *, drop: Sequence[str] = ()) -> list[Item]:
    """A fixture in upstream's formats, in the order of its answers file; `drop`ped ids become failures."""
    gold = read_rows(UPSTREAM / name / "annotation.csv")
    items = []
    for row in read_rows(UPSTREAM / name / "answers.csv"):
        sample_id, facts = row["id"], gold[int(row["id"])]
        dropped = sample_id in drop
        items.append(
            Item(
                sample_id=sample_id,
                references=(facts["answer"],),
                prediction=failed(sample_id) if dropped else answered(sample_id, row["model_answer"]),
                metadata={key: facts[key] for key in ("doc_class", "question_type")},
            )
        )
    return items


def evaluate_upstream(root: Path, name: str, *, drop: Sequence[str] = (), **spec: Any) -> Result:
    """Runs a fixture with its annotation file; samples are planned in annotation order."""
    items = upstream_items(name, drop=drop)
    planned = sorted((item.sample_id for item in items), key=int)
    return evaluate(root, items, planned=planned, annotation=str(UPSTREAM / name / "annotation.csv"), **spec)
