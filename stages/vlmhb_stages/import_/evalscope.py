"""Reads EvalScope's `predictions/<model>/<dataset>_<subset>.jsonl` and `reviews/...`, as 1.14.1 writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmhb_stages.import_.chat_output import outcome_of
from vlmhb_stages.import_.jsontext import content_text, lines, read_text
from vlmhb_stages.import_.rows import (
    BadSource,
    Outcome,
    Row,
    Source,
    answered,
    count,
    failed,
    field_of,
    key_of,
    numbers,
    seconds,
)

FORMAT = "evalscope"


def read(path: Path, *, id_key: str | None) -> Source:
    """`index` counts the samples of the subset from 0. Raises `BadSource`."""
    rows, reviews = [], 0
    for place, record in lines(read_text(path)):
        reviews += "sample_score" in record
        rows.append(_row(record, place=place, id_key=id_key))
    told = (
        "reviews do not say which answers failed or were cut: import the predictions where they are at hand"
    )
    return Source(
        format=FORMAT, tool="EvalScope", rows=tuple(rows), first=0, warnings=(told,) if reviews else ()
    )


def _row(record: Mapping[str, Any], *, place: str, id_key: str | None) -> Row:
    key = key_of(record, own="index", asked=id_key, place=place)
    prompt = _prompt(record.get("messages"))
    if isinstance(record.get("sample_score"), Mapping):
        score = record["sample_score"].get("score")
        values = field_of(score, "value")
        return Row(
            key=key,
            outcome=_reviewed(score),
            prompt=prompt,
            metrics=numbers(values) if isinstance(values, Mapping) else {},
        )
    if "model_output" not in record:
        raise BadSource(f"{place}: neither a prediction (model_output) nor a review (sample_score)")
    output = record["model_output"] if isinstance(record["model_output"], Mapping) else {}
    speed = field_of(output, "perf_metrics")
    return Row(
        key=key,
        outcome=outcome_of(output),
        prompt=prompt,
        input_tokens=count(field_of(output, "usage.input_tokens")),
        output_tokens=count(field_of(output, "usage.output_tokens")),
        latency_s=seconds(field_of(speed, "latency") or output.get("time")),
        ttft_s=seconds(field_of(speed, "ttft")),
    )


def _reviewed(score: Any) -> Outcome:
    """A review knows the text alone: a failed request looks like an answer there, so predictions are better."""
    text = field_of(score, "prediction")
    return answered(text) if isinstance(text, str) else failed("the review has no prediction")


def _prompt(messages: Any) -> str | None:
    asked = [
        content_text(message.get("content"))
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, Mapping) and message.get("role") == "user"
    ]
    return asked[0] if asked else None
