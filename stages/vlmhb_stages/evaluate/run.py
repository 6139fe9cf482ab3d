"""The evaluate stage: predictions and labels in, scores.jsonl, metrics.json, parts and legacy CSVs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from vlmhb_stages import paths
from vlmhb_stages.contracts import Counts, MetricsFile, Score
from vlmhb_stages.evaluate.averages import Resampling
from vlmhb_stages.evaluate.classes import ClassTables
from vlmhb_stages.evaluate.faults import EvaluateError, some
from vlmhb_stages.evaluate.fields import DOC_CLASS, MAX_SCOPES, FieldTable
from vlmhb_stages.evaluate.judge import JudgedChunk
from vlmhb_stages.evaluate.legacy import LegacyWriter, requested
from vlmhb_stages.evaluate.notes import Notes
from vlmhb_stages.evaluate.outputs import write_parts
from vlmhb_stages.evaluate.parity import Parity, answer_order, gold_table
from vlmhb_stages.evaluate.scorers import LocalScorer
from vlmhb_stages.evaluate.summary import MAX_SLICES, Summariser
from vlmhb_stages.evaluate.table import FrozenTable, ScoreTable
from vlmhb_stages.evaluate.upstream import VERSION as UPSTREAM
from vlmhb_stages.evaluate.work import Resolve, Work, input_notes, open_work
from vlmhb_stages.events import EventWriter
from vlmhb_stages.journal import write_atomic
from vlmhb_stages.specs import EvaluateSpec


def run(spec: EvaluateSpec, *, events: EventWriter, resolve: Resolve = paths.resolve) -> int:
    """0, or 2 after a `fatal` event: planned and recorded samples differ, or the spec cannot be met."""

    def beat() -> None:
        if events.is_quiet:
            events.emit("heartbeat")

    try:
        with ExitStack() as stack:
            work = open_work(spec, resolve=resolve, stack=stack, beat=beat)
            result = _Evaluation(work=work, events=events).result()
    except EvaluateError as error:
        events.emit("fatal", code="VHB501", message=error.message, hint=error.hint)
        return 2
    for warning in result.warnings:
        events.emit("warning", message=warning)
    events.emit("end", **result.counts.model_dump())
    return 0


@dataclass(frozen=True, kw_only=True)
class _Evaluation:
    work: Work
    events: EventWriter

    def result(self) -> MetricsFile:
        work = self.work
        work.out.mkdir(parents=True, exist_ok=True)
        notes = Notes(work.names, extraction=work.judge.extraction, gate=work.gate)
        notes.extra.extend(input_notes(work))
        parity = _parity(work) if work.spec.profile == UPSTREAM else None
        if parity and parity.warning:
            notes.extra.append(parity.warning)
        primary = work.primary  # a wrong name is told before the work
        fields = FieldTable(work.scorers)
        table = ScoreTable(metrics=len(work.scorers), keys=work.wanted.keys)
        counts = self._score_all(table=table, fields=fields, notes=notes, parity=parity)
        frozen = table.freeze()
        notes.extra.extend(_failures(work))
        notes.extra.extend(_left_out(work, table=frozen))
        notes.extra.extend(fields.warnings())
        summariser = self._summariser(frozen, parity=parity)
        slices = summariser.all_slices()
        if len(slices) > MAX_SLICES:
            notes.extra.append(f"{len(slices)} slices, only the first {MAX_SLICES} are evaluated")
        scopes = list(fields.scopes(doc_class=frozen.groups.get(DOC_CLASS)))
        if len(scopes) > MAX_SCOPES:
            notes.extra.append(f"{len(scopes)} slices by field, only the first {MAX_SCOPES} are evaluated")
        overall = summariser.overall()
        by_field = summariser.fields(scopes[:MAX_SCOPES])
        result = MetricsFile(
            primary=primary,
            profile=work.spec.profile,
            counts=counts,
            coverage=counts.ok / counts.planned if counts.planned else 0.0,
            warnings=tuple(notes.lines()),
            metrics=overall,
            slices=(*summariser.slices(slices), *by_field),
            extraction=notes.extraction_rate(),
        )
        write_parts(work, table=frozen, metrics=overall)
        write_atomic(work.out / "metrics.json", [result.model_dump_json(indent=2).encode() + b"\n"])
        return result

    def _summariser(self, table: FrozenTable, *, parity: Parity | None) -> Summariser:
        spec = self.work.spec
        return Summariser(
            metrics=[scorer.metric for scorer in self.work.scorers],
            table=table,
            wanted=self.work.wanted,
            resampling=Resampling(draws=spec.bootstrap_draws, seed=(spec.seed % 2**32,)),
            beat=lambda: self.events.emit("heartbeat") if self.events.is_quiet else None,
            gate=self.work.judge.gate,
            overrides=parity.overrides() if parity else {},
        )

    def _score_all(
        self, *, table: ScoreTable, fields: FieldTable, notes: Notes, parity: Parity | None
    ) -> Counts:
        """Goes through the samples once, in planned order, and writes scores.jsonl and the legacy files."""
        work = self.work
        planned = len(work.inputs.planned)
        done = answered = skipped = 0
        with ExitStack() as stack:
            scores = stack.enter_context(
                (work.out / "scores.jsonl").open("w", encoding="utf-8", newline="\n")
            )
            legacy = None if parity else stack.enter_context(_legacy_writer(work))
            classes = stack.enter_context(ClassTables(work.place(), metrics=work.names))
            for chunk in self._judged():
                scores.writelines(line + "\n" for line in _lines(chunk, work=work, parity=parity))
                table.add(chunk)
                fields.add(chunk)
                notes.add(chunk)
                classes.add(chunk)
                if legacy:
                    legacy.add(chunk)
                done += len(chunk)
                answered += sum(chunk.answered)
                skipped += sum(case.prediction.status == "skipped_budget" for case in chunk.cases)
                self.events.emit("progress", done=done, total=planned, ok=answered, error=done - answered)
        if parity:
            parity.write(work.place())
        return Counts(planned=planned, ok=answered, error=planned - answered - skipped, skipped=skipped)

    def _judged(self) -> Iterator[JudgedChunk]:
        return (self.work.judge.judge(cases) for cases in self.work.inputs.chunks())


def _lines(chunk: JudgedChunk, *, work: Work, parity: Parity | None) -> Iterator[str]:
    names, whole = work.names, work.judge.extraction.name == "none"
    primary = names.index(work.primary) if work.primary else 0
    for judged in chunk.samples():
        record = judged.record(names, primary=primary, whole_reply=whole)
        yield _with_parity(record, parity).model_dump_json()


def _failures(work: Work) -> Iterator[str]:
    """Raises EvaluateError where a user's metric failed on every answer."""
    for scorer in work.scorers:
        if isinstance(scorer, LocalScorer) and (line := scorer.check()):
            yield line


def _left_out(work: Work, *, table: FrozenTable) -> Iterator[str]:
    """Samples that an average by groups cannot place. Raises EvaluateError where it can place none."""
    for name in work.wanted.names:
        for key in name.keys:
            groups = table.groups[key]
            if not groups.names and len(table.answered):
                raise EvaluateError(
                    f"average {name.text!r}: no sample has the metadata {key!r}",
                    hint=f"they have: {', '.join(work.inputs.planned.keys) or 'none'}",
                )
            without = (groups.codes < 0).nonzero()[0].tolist()
            if lacking := some(work.inputs.planned.ids[position] for position in without):
                yield f"average {name.text}: samples without {key}, left out: {lacking}"


def _parity(work: Work) -> Parity:
    inputs = work.inputs
    return Parity(
        planned=inputs.planned,
        predictions=inputs.predictions,
        annotation=work.annotation or gold_table(inputs.planned, inputs.labels),
        order=answer_order(inputs.planned.ids, answers_file=work.answers_file),
        metrics=requested(work.names),
    )


def _legacy_writer(work: Work) -> LegacyWriter:
    return LegacyWriter(
        work.place(),
        metrics=[scorer.metric for scorer in work.scorers],
        annotation=work.annotation,
        keys=work.inputs.planned.keys,
    )


def _with_parity(record: Score, parity: Parity | None) -> Score:
    if parity is None:
        return record
    values = {
        name: parity.sample_value(name, sample_id=record.sample_id) if name in parity.names else value
        for name, value in record.scores.items()
    }
    return record.model_copy(update={"scores": values})
