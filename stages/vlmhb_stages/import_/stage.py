"""The import stage: read a foreign file, find its samples, write answers with their states and a summary."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from vlmhb_stages import paths
from vlmhb_stages.contracts import AnswerRecord, ImportSummary, Sample, SomeIds, TheirMetric
from vlmhb_stages.events import EventWriter
from vlmhb_stages.import_ import evalscope, inspect_log, lighteval, lmms_eval, ours, vlmevalkit
from vlmhb_stages.import_.detect import detect
from vlmhb_stages.import_.match import Matched, Planned, match
from vlmhb_stages.import_.rows import BadSource, Row, Source
from vlmhb_stages.journal import write_atomic
from vlmhb_stages.specs import ImportSpec

EXIT_OK = 0
EXIT_BAD_SOURCE = 2
ANSWERS, SUMMARY = "answers.jsonl", "summary.json"
AUTO = "auto"
FIRST = 5  # ids that a summary names


class Reader(Protocol):
    def __call__(self, path: Path, *, id_key: str | None) -> Source:
        """Raises `BadSource`."""


READERS: Mapping[str, Reader] = {
    vlmevalkit.FORMAT: vlmevalkit.read,
    lmms_eval.FORMAT: lmms_eval.read,
    evalscope.FORMAT: evalscope.read,
    lighteval.FORMAT: lighteval.read,
    inspect_log.FORMAT: inspect_log.read,
    ours.UPSTREAM: ours.read_upstream,
    ours.JSONL: ours.read_jsonl,
}


def run(spec: ImportSpec, *, events: EventWriter, resolve: Callable[[str], Path] = paths.resolve) -> int:
    """The exit code: 0, or 2 after a `fatal` event."""
    try:
        source = _read(resolve(spec.source), spec=spec)
        planned = _planned(resolve(spec.inputs) / "samples.jsonl")
        matched = match(source, planned, ids=spec.ids, has_own_key=spec.id_key is not None)
    except BadSource as error:
        events.emit("fatal", code="VHB206", message=str(error), hint=error.hint)
        return EXIT_BAD_SOURCE
    summary = _summary(source, matched)
    out = resolve(paths.OUT)
    write_atomic(out / ANSWERS, _lines(matched, origin=source.tool or source.format))
    write_atomic(out / SUMMARY, [summary.model_dump_json(indent=1).encode() + b"\n"])
    events.emit("end", rows=summary.rows, matched=summary.matched)
    return EXIT_OK


def _read(path: Path, *, spec: ImportSpec) -> Source:
    name = detect(path) if spec.format == AUTO else spec.format
    reader = READERS.get(name)
    if reader is None:
        raise BadSource(f"unknown format {name!r}", hint=f"known: auto, {', '.join(READERS)}")
    source = reader(path, id_key=spec.id_key)
    if not source.rows:
        raise BadSource("the file holds no predictions")
    return source


def _planned(samples: Path) -> Planned:
    """The question is the last thing that the sample's user says."""
    questions: dict[str, str] = {}
    with samples.open("rb") as file:
        for line in file:
            try:
                sample = Sample.model_validate_json(line)
            except ValidationError as error:
                raise BadSource(
                    f"{samples.name} is not what prepare writes ({error.errors()[0]['msg']})"
                ) from error
            said = [message.content for message in sample.messages if message.role == "user"]
            questions[sample.sample_id] = said[-1] if said else ""
    return Planned(questions=questions)


def _lines(matched: Matched, *, origin: str) -> Iterator[bytes]:
    """Every record has an origin: none of them was timed here."""
    for sample_id, row in matched.rows.items():
        record = _record(row, sample_id=sample_id, origin=origin)
        values = {**record.model_dump(mode="json", exclude_none=True), "text": record.text}
        yield json.dumps(values, ensure_ascii=False).encode() + b"\n"


def _record(row: Row, *, sample_id: str, origin: str) -> AnswerRecord:
    return AnswerRecord(
        sample_id=sample_id,
        status=row.outcome.status,
        text=row.outcome.text,
        error=row.outcome.error,
        finish_reason=row.outcome.finish_reason,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        latency_s=row.latency_s,
        ttft_s=row.ttft_s,
        tpot_s=row.tpot_s,
        origin=row.origin or origin,
    )


def _summary(source: Source, matched: Matched) -> ImportSummary:
    rows = list(matched.rows.values())
    return ImportSummary(
        format=source.format,
        tool=source.tool,
        rows=len(source.rows),
        matched=len(rows),
        matched_by=matched.by,
        statuses=dict(sorted(Counter(row.outcome.status for row in rows).items())),
        surplus=_some(matched.surplus),
        missing=_some(matched.missing),
        compared=matched.compared,
        differ=_some(matched.differ),
        metrics=_metrics(rows),
        warnings=tuple(_warnings(source, matched)),
    )


def _warnings(source: Source, matched: Matched) -> Iterator[str]:
    yield from source.warnings
    if matched.repeated:
        yield f"several answers in the file, of which the last counts: {_told(matched.repeated)}"
    if matched.surplus:
        yield f"in the file, but not in the benchmark: {_told(matched.surplus)}"
    if matched.missing:
        yield f"in the benchmark, but not in the file, so counted as missing: {_told(matched.missing)}"
    if matched.differ:
        yield f"asked something else by the tool than by the benchmark: {_told(matched.differ)}"


def _told(ids: Sequence[str]) -> str:
    more = ", ..." if len(ids) > FIRST else ""
    return f"{len(ids)} sample{'s' if len(ids) > 1 else ''} ({', '.join(ids[:FIRST])}{more})"


def _some(ids: Sequence[str]) -> SomeIds:
    return SomeIds(count=len(ids), first=tuple(ids[:FIRST]))


def _metrics(rows: Sequence[Row]) -> dict[str, TheirMetric]:
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.metrics.items():
            values.setdefault(name, []).append(value)
    return {
        name: TheirMetric(mean=sum(found) / len(found), n=len(found))
        for name, found in sorted(values.items())
    }
