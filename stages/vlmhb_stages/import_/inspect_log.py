"""Reads the logs of inspect_ai, `.eval` and JSON (log format 2, as 0.3.285 writes it)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmhb_stages.import_.archive import Archive
from vlmhb_stages.import_.chat_output import outcome_of
from vlmhb_stages.import_.jsontext import content_text, mapping, parse, read_text
from vlmhb_stages.import_.rows import (
    BadSource,
    Outcome,
    Row,
    Source,
    count,
    failed,
    field_of,
    key_of,
    number,
    seconds,
    truncated,
)

FORMAT = "inspect"
HEADERS = ("header.json", "_journal/start.json")  # the second one of a log that was never finished
_SAMPLE = re.compile(r"samples/.*_epoch_\d+(?:/sample)?\.json", re.DOTALL)  # an id may hold slashes itself
_ATTACHMENT = "attachment://"
_VERDICTS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}  # inspect's letters, as its own `value_to_float`


@dataclass(frozen=True, kw_only=True)
class _Log:
    """`eval` is the task's specification."""

    header: Mapping[str, Any]
    samples: tuple[Mapping[str, Any], ...]


def read(path: Path, *, id_key: str | None) -> Source:
    """Without ids of its own a dataset is counted from 1. Raises `BadSource`."""
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    log = _from_zip(path) if is_zip else _from_json(path)
    first_epoch = [sample for sample in log.samples if sample.get("epoch", 1) == 1]
    warnings = []
    if len(first_epoch) < len(log.samples):
        later = len(log.samples) - len(first_epoch)
        warnings.append(f"{later} answers of later epochs are left out: a sample has one answer here")
    if log.header.get("status") not in (None, "success"):
        warnings.append(f"the log's status is {log.header['status']!r}: it may not hold every sample")
    version = field_of(log.header, "eval.packages.inspect_ai")
    return Source(
        format=FORMAT,
        tool=f"inspect_ai {version}" if version else "inspect_ai",
        rows=tuple(_row(sample, id_key=id_key) for sample in first_epoch),
        first=1,
        warnings=tuple(warnings),
    )


def _from_json(path: Path) -> _Log:
    log = mapping(parse(read_text(path), place="log"), place="log")
    samples = log.get("samples")
    if not isinstance(samples, list):
        raise BadSource("the log holds no samples", hint="it was written without them, or header only")
    return _Log(header=log, samples=tuple(mapping(one, place="samples") for one in samples))


def _from_zip(path: Path) -> _Log:
    with Archive(path) as archive:
        name = next((name for name in HEADERS if name in archive.names), None)
        if name is None:
            raise BadSource("no log of inspect_ai: it has neither header.json nor _journal/start.json")
        header = mapping(parse(archive.read(name), place=name), place=name)
        return _Log(header=header, samples=tuple(_samples(archive)))


def _samples(archive: Archive) -> Iterator[Mapping[str, Any]]:
    """One file per sample; a large one is a folder whose `sample.json` has everything but messages and events."""
    for name in archive.names:
        if _SAMPLE.fullmatch(name):
            yield mapping(parse(archive.read(name), place=name), place=name)


def _row(sample: Mapping[str, Any], *, id_key: str | None) -> Row:
    output = sample.get("output")
    output = output if isinstance(output, Mapping) else {}
    return Row(
        key=key_of(sample, own="id", asked=id_key, place=f"sample {sample.get('id')}"),
        outcome=_outcome(sample, output=output),
        prompt=_prompt(sample),
        input_tokens=count(field_of(output, "usage.input_tokens")),
        output_tokens=count(field_of(output, "usage.output_tokens")),
        latency_s=seconds(output.get("time")),
        metrics=_metrics(sample.get("scores")),
    )


def _outcome(sample: Mapping[str, Any], *, output: Mapping[str, Any]) -> Outcome:
    error = field_of(sample, "error.message")
    if error is not None:
        return failed(f"inspect_ai: {error}")
    limit = field_of(sample, "limit.type")
    outcome = outcome_of(output)
    if limit is None:
        return outcome
    if outcome.text is None:
        return failed(f"inspect_ai stopped the sample at its {limit} limit")
    return truncated(outcome.text, finish_reason=f"{limit} limit")


def _prompt(sample: Mapping[str, Any]) -> str | None:
    """Long texts are moved to `attachments`, under their hash."""
    asked = sample.get("input")
    if isinstance(asked, list):
        users = [one for one in asked if isinstance(one, Mapping) and one.get("role") == "user"]
        asked = content_text(users[0].get("content")) if users else None
    if isinstance(asked, str) and asked.startswith(_ATTACHMENT):
        kept = sample.get("attachments")
        asked = kept.get(asked.removeprefix(_ATTACHMENT)) if isinstance(kept, Mapping) else None
    return asked if isinstance(asked, str) else None


def _metrics(scores: Any) -> dict[str, float]:
    """One value per scorer; a scorer may give an object of values."""
    found: dict[str, float] = {}
    for name, score in scores.items() if isinstance(scores, Mapping) else ():
        value = score.get("value") if isinstance(score, Mapping) else None
        parts = value if isinstance(value, Mapping) else {"": value}
        for part, one in parts.items():
            worth = _VERDICTS.get(one) if isinstance(one, str) else number(one)
            if worth is not None:
                found[f"{name}/{part}" if part else str(name)] = worth
    return found
