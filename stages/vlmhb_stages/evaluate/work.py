"""What the evaluate stage reads: opened, checked against each other, and what is odd about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from vlmhb_benchmarks.metrics import Metric

from vlmhb_stages import paths
from vlmhb_stages.contracts import Label, Prediction
from vlmhb_stages.evaluate.averages import parse_average
from vlmhb_stages.evaluate.backends import OpenBackend, open_backend
from vlmhb_stages.evaluate.cases import Inputs
from vlmhb_stages.evaluate.csvtext import Annotation, read_annotation
from vlmhb_stages.evaluate.faults import EvaluateError
from vlmhb_stages.evaluate.judge import Judge
from vlmhb_stages.evaluate.legacy import LegacyPlace
from vlmhb_stages.evaluate.pool import ENOUGH, HeavyPool, cores
from vlmhb_stages.evaluate.records import (
    Beat,
    RecordIndex,
    check_recorded,
    conflicting_answers,
    read_planned,
)
from vlmhb_stages.evaluate.scorers import LocalScorer, Scorer
from vlmhb_stages.evaluate.selection import Sources, extraction_rule, fitted, select
from vlmhb_stages.evaluate.summary import Wanted
from vlmhb_stages.evaluate.upstream import VERSION as UPSTREAM
from vlmhb_stages.evaluate.user_metrics import load_user_metrics
from vlmhb_stages.specs import EvaluateSpec, ScoreSpec

PROFILES = ("default", UPSTREAM)
AGGREGATORS = ("by_id", "by_doc_question", "by_doc_type", "general")
Resolve = Callable[[str], Path]


@dataclass(frozen=True, kw_only=True)
class Work:
    """Everything that the stage reads, opened and checked."""

    spec: EvaluateSpec
    out: Path
    inputs: Inputs
    judge: Judge
    wanted: Wanted
    annotation: Annotation | None
    answers_file: Path | None
    warnings: tuple[str, ...]

    @property
    def scorers(self) -> Sequence[Scorer]:
        return self.judge.scorers

    @property
    def names(self) -> list[str]:
        return [scorer.metric.info.name for scorer in self.scorers]

    @property
    def gate(self) -> str | None:
        return None if self.judge.gate is None else self.names[self.judge.gate]

    @property
    def primary(self) -> str | None:
        wanted = self.spec.primary
        if wanted is None:
            return next(iter(self.names), None)
        for name in self.names:
            if name.lower() == _unversioned(wanted):
                return name
        raise EvaluateError(
            f"the primary metric {wanted!r} is not evaluated", hint=f"evaluated: {', '.join(self.names)}"
        )

    def place(self) -> LegacyPlace:
        wanted = ["general" if name == "overall" else name for name in self.spec.aggregators]
        return LegacyPlace(folder=self.out / "legacy", stem=self.spec.legacy_stem, aggregators=wanted)


def open_work(spec: EvaluateSpec, *, resolve: Resolve, stack: ExitStack, beat: Beat) -> Work:
    """Raises EvaluateError; names that nobody knows are told before a file is read."""
    if spec.profile not in PROFILES:
        raise EvaluateError(
            f"unknown metrics profile {spec.profile!r}", hint=f"one of: {', '.join(PROFILES)}"
        )
    extraction, wanted = extraction_rule(spec.extraction), _wanted(spec)
    users = load_user_metrics(spec.user_metrics, resolve=resolve)
    inputs = open_inputs(spec, resolve=resolve, stack=stack, beat=beat)
    backends = [
        open_backend(backend, folder=resolve(backend.folder), planned=inputs.planned, beat=beat)
        for backend in spec.backends
    ]
    names = [*spec.metrics, *([spec.gate] if spec.gate else [])]
    sources = Sources(users=users, backends=_merged(backends, users=users, stack=stack))
    scorers = ready(select(names, sources=sources, beat=beat), inputs=inputs, stack=stack)
    return Work(
        spec=spec,
        out=resolve(paths.OUT),
        inputs=inputs,
        judge=Judge(scorers=scorers, extraction=extraction, gate=_gate(spec, scorers)),
        wanted=wanted,
        annotation=read_annotation(resolve(spec.annotation)) if spec.annotation else None,
        answers_file=resolve(spec.answers) if spec.answers else None,
        warnings=tuple(line for backend in backends for line in backend.warnings),
    )


def open_inputs(spec: EvaluateSpec | ScoreSpec, *, resolve: Resolve, stack: ExitStack, beat: Beat) -> Inputs:
    planned = read_planned(resolve(spec.inputs) / "samples.jsonl", beat=beat)
    predictions = stack.enter_context(
        RecordIndex(
            resolve(spec.predictions) / "predictions.jsonl",
            parse=Prediction.model_validate_json,
            planned=planned,
            beat=beat,
        )
    )
    check_recorded(planned, predictions)
    labels = stack.enter_context(
        RecordIndex(
            resolve(spec.labels) / "labels.jsonl",
            parse=Label.model_validate_json,
            planned=planned,
            beat=beat,
        )
    )
    return Inputs(planned=planned, predictions=predictions, labels=labels)


def ready(scorers: Sequence[Scorer], *, inputs: Inputs, stack: ExitStack) -> list[Scorer]:
    """Fitted to the references, and the heavy ones with processes to run in."""
    done = fitted(scorers, references=inputs.references)
    heavy = {
        scorer.metric.info.name: scorer.metric
        for scorer in done
        if isinstance(scorer, LocalScorer) and scorer.metric.info.heavy and not scorer.guarded
    }
    if not heavy or cores() < 2 or len(inputs.planned) < ENOUGH:
        return done
    pool = stack.enter_context(HeavyPool(heavy, processes=cores()))
    return [replace(scorer, pool=pool) if isinstance(scorer, LocalScorer) else scorer for scorer in done]


def _wanted(spec: EvaluateSpec) -> Wanted:
    return Wanted(
        slice_keys=tuple(dict.fromkeys(spec.slices)),
        headline=parse_average(spec.headline) if spec.headline else None,
        further=tuple(parse_average(name) for name in spec.averages),
    )


def _merged(
    backends: Sequence[OpenBackend], *, users: Mapping[str, Metric], stack: ExitStack
) -> dict[str, Scorer]:
    """Raises EvaluateError for a metric that two of them give, or a backend and the user's own."""
    found: dict[str, Scorer] = {}
    for backend in backends:
        stack.enter_context(backend.records)
        for name, scorer in backend.scorers.items():
            if name.lower() in found or name.lower() in users:
                raise EvaluateError(
                    f"metric {name!r} comes from two places", hint="leave it to one backend, or rename it"
                )
            found[name.lower()] = scorer
    return found


def _gate(spec: EvaluateSpec, scorers: Sequence[Scorer]) -> int | None:
    """Asked for last where nobody else asked for it, so it is among the scorers."""
    if not spec.gate:
        return None
    names = [scorer.metric.info.name.lower() for scorer in scorers]
    return names.index(_unversioned(spec.gate))


def _unversioned(name: str) -> str:
    """`name@version` asks for a version; results carry the name alone."""
    return name.strip().lower().partition("@")[0]


def input_notes(work: Work) -> Iterator[str]:
    predictions, labels = work.inputs.predictions, work.inputs.labels
    if predictions.unreadable:
        yield f"unreadable lines in predictions.jsonl, ignored: {predictions.unreadable}"
    if labels.unreadable:
        yield f"unreadable lines in labels.jsonl, ignored: {labels.unreadable}"
    if conflicting := conflicting_answers(predictions):
        yield f"samples with more than one answer, the last is used: {conflicting}"
    for name in work.spec.aggregators:
        if name not in (*AGGREGATORS, "overall"):
            yield f"unknown aggregator {name!r}, no file; known: {', '.join(AGGREGATORS)}"
    yield from work.warnings
