"""Reads the `*_samples_<task>.jsonl` of lmms-eval, as version 0.7.3 writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmhb_stages.import_.jsontext import lines, read_text
from vlmhb_stages.import_.rows import Outcome, Row, Source, answered, count, failed, key_of, number

FORMAT = "lmms-eval"
REQUEST_FAILED = "[LMMS_EVAL_REQUEST_FAILED"
BUDGET_EXCEEDED = "[LMMS_EVAL_BUDGET_EXCEEDED"
_OTHERS = frozenset(
    {"doc_id", "doc", "target", "arguments", "input", "resps", "filtered_resps", "token_counts", "doc_hash"}
    | {"prompt_hash", "target_hash", "input_media"}
)


def read(path: Path, *, id_key: str | None) -> Source:
    """`doc_id` counts the documents of the task's split from 0. Raises `BadSource`."""
    rows = tuple(_row(record, place=place, id_key=id_key) for place, record in lines(read_text(path)))
    return Source(format=FORMAT, tool="lmms-eval", rows=rows, first=0)


def _row(record: Mapping[str, Any], *, place: str, id_key: str | None) -> Row:
    tokens = _first_mapping(record.get("token_counts"))
    prompt = record.get("input")
    return Row(
        key=key_of(record, own="doc_id", asked=id_key, place=place),
        outcome=_outcome(record),
        prompt=prompt if isinstance(prompt, str) else None,
        input_tokens=count(tokens.get("input_tokens")),
        output_tokens=count(tokens.get("output_tokens")),
        metrics=_metrics(record),
    )


def _outcome(record: Mapping[str, Any]) -> Outcome:
    """`resps` is what the model said; it is left out where the task's filter changed nothing.

    A text that looks like a Python list is left as it is: the model may well have written one."""
    said = record.get("resps", record.get("filtered_resps"))
    while isinstance(said, list) and len(said) == 1:
        said = said[0]
    if isinstance(said, list):
        return failed(
            f"{len(said)} responses are no single answer (several rounds, or choices by likelihood)"
        )
    if not isinstance(said, str):
        return failed("the record has no response")
    if said.startswith(REQUEST_FAILED):
        return failed(f"lmms-eval: {said}")
    if said.startswith(BUDGET_EXCEEDED):
        return failed("lmms-eval stopped at its token budget", status="skipped_budget", kind="budget")
    return answered(said)


def _metrics(record: Mapping[str, Any]) -> dict[str, float]:
    """One key per metric; some tasks store an object with a `score` there."""
    found = {}
    for name, value in record.items():
        if name not in _OTHERS:
            score = number(value.get("score") if isinstance(value, Mapping) else value)
            if score is not None:
                found[name] = score
    return found


def _first_mapping(values: Any) -> Mapping[str, Any]:
    first = values[0] if isinstance(values, list) and values else None
    return first if isinstance(first, Mapping) else {}
