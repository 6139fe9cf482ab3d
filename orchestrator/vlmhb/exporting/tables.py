"""Our own forms: one CSV or JSON Lines file per evaluation, a row per sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from vlmhb.exporting.csvtext import table
from vlmhb.exporting.source import Answered, Evaluated, formula_notes
from vlmhb.exporting.target import Export, File, file_name

_FACTS = ("finish_reason", "input_tokens", "output_tokens", "latency_s", "ttft_s", "tpot_s")


def jsonl(evaluations: Sequence[Evaluated], *, references: bool) -> Export:
    """`vlmhb import jsonl` takes it back; so does any answers_file."""
    files = []
    for one in evaluations:
        lines = [
            json.dumps(_record(answer, references=references), ensure_ascii=False) for answer in one.answers
        ]
        files.append(
            File(name=f"{file_name(one.id)}.jsonl", data="".join(f"{line}\n" for line in lines).encode())
        )
    return Export(files=tuple(files))


def _record(answer: Answered, *, references: bool) -> dict[str, Any]:
    prediction = answer.prediction
    record: dict[str, Any] = {
        "sample_id": answer.sample.sample_id,
        "status": prediction.status,
        "text": answer.text,
        "error": prediction.error.model_dump() if prediction.error else None,
        **{name: getattr(prediction, name) for name in _FACTS},
        "metadata": answer.sample.metadata,
        "scores": dict(answer.scores),
    }
    return {**record, "references": list(answer.references)} if references else record


def csv(evaluations: Sequence[Evaluated], *, references: bool) -> Export:
    """Comma-separated; undefined is empty."""
    files = [
        File(name=f"{file_name(one.id)}.csv", data=table(_rows(one, references=references), delimiter=","))
        for one in evaluations
    ]
    return Export(files=tuple(files), notes=formula_notes(evaluations))


def _rows(one: Evaluated, *, references: bool) -> list[list[str]]:
    keys = sorted({key for answer in one.answers for key in answer.sample.metadata})
    names = sorted({name for answer in one.answers for name in answer.scores})
    header = ["sample_id", "status", "text", "error", *_FACTS]
    header += [f"metadata.{key}" for key in keys] + [f"score.{name}" for name in names]
    rows = [[*header, "references"] if references else header]
    for answer in one.answers:
        facts = [getattr(answer.prediction, name) for name in _FACTS]
        cells = [answer.sample.sample_id, answer.prediction.status, answer.text or ""]
        cells.append("" if answer.text is not None else answer.failure)
        cells += ["" if value is None else str(value) for value in facts]
        cells += [answer.sample.metadata.get(key, "") for key in keys]
        cells += ["" if answer.scores.get(name) is None else repr(answer.scores[name]) for name in names]
        rows.append([*cells, json.dumps(answer.references, ensure_ascii=False)] if references else cells)
    return rows
