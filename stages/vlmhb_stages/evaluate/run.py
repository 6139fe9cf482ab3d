"""The evaluate stage: predictions and labels in, scores.jsonl, metrics.json and legacy CSVs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from vlmhb_stages import paths
from vlmhb_stages.contracts import Counts, MetricsFile, Score
from vlmhb_stages.evaluate.faults import EvaluateError
from vlmhb_stages.evaluate.judge import Judge, Judged
from vlmhb_stages.evaluate.legacy import LegacyWriter, requested
from vlmhb_stages.evaluate.notes import Notes
from vlmhb_stages.evaluate.parity import Parity, answer_order, gold_table
from vlmhb_stages.evaluate.summary import MAX_SLICES, Bootstrap, Summariser
from vlmhb_stages.evaluate.table import FrozenTable, ScoreTable
from vlmhb_stages.evaluate.upstream import VERSION as UPSTREAM
from vlmhb_stages.evaluate.work import Resolve, Work, input_notes, open_work
from vlmhb_stages.events import EventWriter
from vlmhb_stages.journal import write_atomic
from vlmhb_stages.specs import EvaluateSpec

PROGRESS_EVERY = 500  # samples


def run(spec: EvaluateSpec, *, events: EventWriter, resolve: Resolve = paths.resolve) -> int:
    """0, or 2 after a `fatal` event: planned and recorded samples differ, or the spec cannot be met."""
    try:
        with ExitStack() as stack:
            result = _evaluate(open_work(spec, resolve=resolve, stack=stack), events=events)
    except EvaluateError as error:
        events.emit("fatal", code="VHB501", message=error.message, hint=error.hint)
        return 2
    for warning in result.warnings:
        events.emit("warning", message=warning)
    events.emit("end", **result.counts.model_dump())
    return 0


def _evaluate(work: Work, *, events: EventWriter) -> MetricsFile:
    work.out.mkdir(parents=True, exist_ok=True)
    notes = Notes(work.metrics)
    notes.extra.extend(input_notes(work))
    parity = _parity(work) if work.spec.profile == UPSTREAM else None
    if parity and parity.warning:
        notes.extra.append(parity.warning)
    table = ScoreTable(metrics=len(work.metrics), slice_keys=work.spec.slices)
    counts = _score_all(work, table=table, notes=notes, parity=parity, events=events)
    frozen = table.freeze()
    if len(frozen.slices) > MAX_SLICES:
        notes.extra.append(f"{len(frozen.slices)} slices, only the first {MAX_SLICES} are evaluated")
    summariser = _summariser(work, table=frozen, parity=parity, events=events)
    result = MetricsFile(
        primary=work.primary,
        profile=work.spec.profile,
        counts=counts,
        coverage=counts.ok / counts.planned if counts.planned else 0.0,
        warnings=tuple(notes.lines()),
        metrics=summariser.overall(),
        slices=summariser.slices(),
    )
    write_atomic(work.out / "metrics.json", [result.model_dump_json(indent=2).encode() + b"\n"])
    return result


def _summariser(work: Work, *, table: FrozenTable, parity: Parity | None, events: EventWriter) -> Summariser:
    return Summariser(
        metrics=work.metrics,
        table=table,
        bootstrap=Bootstrap(draws=work.spec.bootstrap_draws, seed=work.spec.seed),
        beat=lambda: events.emit("heartbeat"),
        overrides=parity.overrides() if parity else {},
    )


def _parity(work: Work) -> Parity:
    annotation = work.annotation or gold_table(work.planned, work.labels)
    return Parity(
        planned=work.planned,
        predictions=work.predictions,
        annotation=annotation,
        order=answer_order(work.planned, answers_file=work.answers_file),
        metrics=requested(work.names),
    )


def _score_all(
    work: Work, *, table: ScoreTable, notes: Notes, parity: Parity | None, events: EventWriter
) -> Counts:
    """Goes through the samples once, in planned order, and writes scores.jsonl and the legacy files."""
    judge = Judge(metrics=work.metrics, extraction=work.extraction)
    primary = work.names.index(work.primary) if work.primary else 0
    answered = skipped = 0
    with ExitStack() as stack:
        scores = stack.enter_context((work.out / "scores.jsonl").open("w", encoding="utf-8", newline="\n"))
        legacy = None if parity else stack.enter_context(_legacy_writer(work))
        for done, judged in enumerate(_judged(work, judge=judge), start=1):
            answered += judged.answered
            skipped += judged.prediction.status == "skipped_budget"
            record = judge.record(judged, primary=primary, whole_reply=work.spec.extraction == "none")
            scores.write(_with_parity(record, parity).model_dump_json() + "\n")
            table.add(judged)
            notes.add(judged)
            if legacy:
                legacy.add(judged)
            if done % PROGRESS_EVERY == 0 or done == len(work.planned) or events.is_quiet:
                events.emit(
                    "progress", done=done, total=len(work.planned), ok=answered, error=done - answered
                )
    if parity:
        parity.write(work.place())
    planned = len(work.planned)
    return Counts(planned=planned, ok=answered, error=planned - answered - skipped, skipped=skipped)


def _judged(work: Work, *, judge: Judge) -> Iterator[Judged]:
    for sample in work.planned:
        prediction = work.predictions.get(sample.sample_id)
        if prediction is not None:
            yield judge.judge(sample, prediction=prediction, label=work.labels.get(sample.sample_id))


def _legacy_writer(work: Work) -> LegacyWriter:
    keys = dict.fromkeys(key for sample in work.planned for key in sample.metadata)
    return LegacyWriter(work.place(), metrics=work.metrics, annotation=work.annotation, keys=tuple(keys))


def _with_parity(record: Score, parity: Parity | None) -> Score:
    if parity is None:
        return record
    values = {
        name: parity.sample_value(name, sample_id=record.sample_id) if name in parity.names else value
        for name, value in record.scores.items()
    }
    return record.model_copy(update={"scores": values})
