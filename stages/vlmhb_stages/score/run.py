"""The score stage: predictions and labels in, one line per sample with its values and parts out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict

from vlmhb_benchmarks.metrics.batch import ScoreColumns

from vlmhb_stages import paths
from vlmhb_stages.contracts import BackendScore
from vlmhb_stages.evaluate.backends import INFOS, SCORES, WIDTH
from vlmhb_stages.evaluate.cases import Case, Inputs
from vlmhb_stages.evaluate.faults import EvaluateError
from vlmhb_stages.evaluate.judge import Judge, JudgedChunk
from vlmhb_stages.evaluate.records import Beat
from vlmhb_stages.evaluate.scorers import LocalScorer, Scorer
from vlmhb_stages.evaluate.selection import Sources, extraction_rule, select
from vlmhb_stages.evaluate.user_metrics import load_user_metrics
from vlmhb_stages.evaluate.work import Resolve, open_inputs, ready
from vlmhb_stages.events import EventWriter
from vlmhb_stages.journal import write_atomic
from vlmhb_stages.specs import ScoreSpec


def run(spec: ScoreSpec, *, events: EventWriter, resolve: Resolve = paths.resolve) -> int:
    """0, or 2 after a `fatal` event."""

    def beat() -> None:
        if events.is_quiet:
            events.emit("heartbeat")

    try:
        with ExitStack() as stack:
            warnings = _score(spec, events=events, resolve=resolve, stack=stack, beat=beat)
    except EvaluateError as error:
        events.emit("fatal", code="VHB501", message=error.message, hint=error.hint)
        return 2
    for warning in warnings:
        events.emit("warning", message=warning)
    events.emit("end")
    return 0


def _score(
    spec: ScoreSpec, *, events: EventWriter, resolve: Resolve, stack: ExitStack, beat: Beat
) -> list[str]:
    extraction = extraction_rule(spec.extraction)
    users = load_user_metrics(spec.user_metrics, resolve=resolve)
    chosen = select(spec.metrics, sources=Sources(users=users, backends={}), beat=beat)
    inputs = open_inputs(spec, resolve=resolve, stack=stack, beat=beat)
    scorers = ready(chosen, inputs=inputs, stack=stack)
    out = resolve(paths.OUT)
    out.mkdir(parents=True, exist_ok=True)
    judge = Judge(scorers=scorers, extraction=extraction)
    with (out / SCORES).open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in _lines(inputs, judge=judge, events=events))
    warnings = [line for scorer in scorers if isinstance(scorer, LocalScorer) and (line := scorer.check())]
    infos = {scorer.metric.info.name: asdict(scorer.metric.info) for scorer in scorers}
    text = json.dumps({"metrics": infos, "warnings": warnings}, ensure_ascii=False, indent=2, sort_keys=True)
    write_atomic(out / INFOS, [text.encode() + b"\n"])
    return warnings


def _lines(inputs: Inputs, *, judge: Judge, events: EventWriter) -> Iterator[str]:
    names = [scorer.metric.info.name for scorer in judge.scorers]
    done = answered = 0
    for cases in inputs.chunks():
        chunk = judge.judge(cases)
        missing = [_checked(scorer, scorer.missing(cases)) for scorer in judge.scorers]
        for scorer, columns in zip(judge.scorers, chunk.scored, strict=True):
            _checked(scorer, columns)
        for row, case in enumerate(cases):
            yield _record(case, chunk, row=row, names=names, missing=missing).model_dump_json()
        done += len(chunk)
        answered += sum(chunk.answered)
        total = len(inputs.planned)
        events.emit("progress", done=done, total=total, ok=answered, error=done - answered)


def _checked(scorer: Scorer, columns: ScoreColumns) -> ScoreColumns:
    width = columns.parts.shape[1]
    if width not in (0, WIDTH):
        raise EvaluateError(
            f"{scorer.metric.info.name} has {width} parts a sample: no metric for a backend",
            hint="a backend computes means and ratios; take the others into `metrics` of the evaluation",
        )
    return columns


def _record(
    case: Case, chunk: JudgedChunk, *, row: int, names: Sequence[str], missing: Sequence[ScoreColumns]
) -> BackendScore:
    answered = chunk.extracted[row] is not None
    return BackendScore.model_construct(
        sample_id=case.sample_id,
        values={
            name: _number(columns.values[row]) if answered else None
            for name, columns in zip(names, chunk.scored, strict=True)
        },
        parts={
            name: _pair(columns, row) if answered else None
            for name, columns in zip(names, chunk.scored, strict=True)
        },
        missing={name: _pair(columns, row) for name, columns in zip(names, missing, strict=True)},
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _pair(columns: ScoreColumns, row: int) -> tuple[float, float] | None:
    if math.isnan(columns.values[row]):
        return None
    numerator, denominator = columns.parts[row].tolist()
    return numerator, denominator
