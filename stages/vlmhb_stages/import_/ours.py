"""Reads answers files in our own forms and the prototype's: `id;model_answer` CSV, or JSON lines."""

from __future__ import annotations

from pathlib import Path

from vlmhb_stages.answers import BadAnswers, read_answers
from vlmhb_stages.contracts import AnswerRecord
from vlmhb_stages.import_.rows import BadSource, Outcome, Row, Source, answered, count, seconds

UPSTREAM, JSONL = "upstream", "jsonl"


def read_upstream(path: Path, *, id_key: str | None) -> Source:
    return _read(path, format_=UPSTREAM, tool="VLMHyperBench 0.1", id_key=id_key)


def read_jsonl(path: Path, *, id_key: str | None) -> Source:
    return _read(path, format_=JSONL, tool="", id_key=id_key)


def _read(path: Path, *, format_: str, tool: str, id_key: str | None) -> Source:
    """Ids are those of the dataset. Raises `BadSource`."""
    if id_key is not None:
        raise BadSource(f"{format_} files have their ids in sample_id or id", hint="leave --id-key out")
    try:
        answers = read_answers(path)
    except BadAnswers as error:
        raise BadSource(str(error)) from error
    warnings = []
    if answers.duplicates:
        some = ", ".join(answers.duplicates[:5])
        warnings.append(f"{len(answers.duplicates)} ids come more than once, the last row counts: {some}")
    rows = [
        Row(key=key, outcome=answered(text))
        for key, text in answers.texts.items()
        if key not in answers.records
    ]
    rows += [_row(record) for record in answers.records.values()]
    return Source(format=format_, tool=tool, rows=tuple(rows), warnings=tuple(warnings))


def _row(record: AnswerRecord) -> Row:
    return Row(
        key=record.sample_id,
        outcome=Outcome(
            status=record.status, text=record.text, error=record.error, finish_reason=record.finish_reason
        ),
        input_tokens=count(record.input_tokens),
        output_tokens=count(record.output_tokens),
        latency_s=seconds(record.latency_s),
        ttft_s=seconds(record.ttft_s),
        tpot_s=seconds(record.tpot_s),
        origin=record.origin,
    )
