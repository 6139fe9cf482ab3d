"""What the evaluate stage reads: opened, checked against each other, and what is odd about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from vlmhb_benchmarks.extraction import Extraction, UnknownExtraction, get_extraction
from vlmhb_benchmarks.metrics import BrokenMetric, Metric, UnknownMetric, get_metric

from vlmhb_stages import paths
from vlmhb_stages.contracts import Label, Prediction
from vlmhb_stages.evaluate.csvtext import Annotation, read_annotation
from vlmhb_stages.evaluate.faults import EvaluateError, some
from vlmhb_stages.evaluate.legacy import LegacyPlace
from vlmhb_stages.evaluate.records import (
    Planned,
    RecordIndex,
    check_recorded,
    conflicting_answers,
    read_planned,
)
from vlmhb_stages.evaluate.upstream import VERSION as UPSTREAM
from vlmhb_stages.specs import EvaluateSpec

PROFILES = ("default", UPSTREAM)
AGGREGATORS = ("by_id", "by_doc_question", "by_doc_type", "general")
Resolve = Callable[[str], Path]


@dataclass(frozen=True, kw_only=True)
class Work:
    """Everything that the stage reads, opened and checked."""

    spec: EvaluateSpec
    out: Path
    metrics: tuple[Metric, ...]
    extraction: Extraction
    planned: list[Planned]
    predictions: RecordIndex[Prediction]
    labels: RecordIndex[Label]
    annotation: Annotation | None
    answers_file: Path | None

    @property
    def names(self) -> list[str]:
        return [metric.info.name for metric in self.metrics]

    @property
    def primary(self) -> str | None:
        chosen = self.spec.primary or next(iter(self.names), None)
        if chosen is not None and chosen.lower() not in self.names:
            raise EvaluateError(
                f"the primary metric {chosen!r} is not evaluated", hint=f"evaluated: {', '.join(self.names)}"
            )
        return chosen.lower() if chosen else None

    def place(self) -> LegacyPlace:
        wanted = ["general" if name == "overall" else name for name in self.spec.aggregators]
        return LegacyPlace(folder=self.out / "legacy", stem=self.spec.legacy_stem, aggregators=wanted)


def open_work(spec: EvaluateSpec, *, resolve: Resolve, stack: ExitStack) -> Work:
    if spec.profile not in PROFILES:
        raise EvaluateError(
            f"unknown metrics profile {spec.profile!r}", hint=f"one of: {', '.join(PROFILES)}"
        )
    metrics = _metrics(spec.metrics)
    planned = read_planned(resolve(spec.inputs) / "samples.jsonl")
    predictions = stack.enter_context(
        RecordIndex(resolve(spec.predictions) / "predictions.jsonl", parse=Prediction.model_validate_json)
    )
    check_recorded(planned, predictions)
    labels = stack.enter_context(
        RecordIndex(resolve(spec.labels) / "labels.jsonl", parse=Label.model_validate_json)
    )
    return Work(
        spec=spec,
        out=resolve(paths.OUT),
        metrics=metrics,
        extraction=_extraction(spec.extraction),
        planned=planned,
        predictions=predictions,
        labels=labels,
        annotation=read_annotation(resolve(spec.annotation)) if spec.annotation else None,
        answers_file=resolve(spec.answers) if spec.answers else None,
    )


def _metrics(names: Sequence[str]) -> tuple[Metric, ...]:
    """Named twice counts once."""
    try:
        found = [get_metric(name) for name in names]
    except (UnknownMetric, BrokenMetric) as error:
        raise EvaluateError(str(error), hint="`vlmhb metrics list` shows all names") from error
    return tuple({metric.info.name: metric for metric in found}.values())


def _extraction(name: str) -> Extraction:
    try:
        return get_extraction(name)
    except UnknownExtraction as error:
        raise EvaluateError(str(error), hint="`extraction` of the benchmark card") from error


def input_notes(work: Work) -> Iterator[str]:
    if work.predictions.unreadable:
        yield f"unreadable lines in predictions.jsonl, ignored: {work.predictions.unreadable}"
    if work.labels.unreadable:
        yield f"unreadable lines in labels.jsonl, ignored: {work.labels.unreadable}"
    if conflicting := conflicting_answers(work.predictions):
        yield f"samples with more than one answer, the last is used: {some(conflicting)}"
    for name in work.spec.aggregators:
        if name not in (*AGGREGATORS, "overall"):
            yield f"unknown aggregator {name!r}, no file; known: {', '.join(AGGREGATORS)}"
