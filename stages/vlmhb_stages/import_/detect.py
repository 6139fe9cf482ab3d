"""Which tool wrote a file, told from its content: names of files are the user's own affair."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmhb_stages.import_ import evalscope, inspect_log, lighteval, lmms_eval, ours, sheet, vlmevalkit
from vlmhb_stages.import_.rows import BadSource

_START = 1 << 20  # bytes looked at for a first line; whole pages of text may stand in one
_UNKNOWN = "the format is not recognised"
_HINT = "name it: vlmevalkit, lmms-eval, evalscope, lighteval, inspect, upstream or jsonl"


def detect(path: Path) -> str:
    """The name of the format. Raises `BadSource`."""
    with path.open("rb") as file:
        start = file.read(_START)
    if start.startswith(b"PK"):
        return _zip(path)
    if start.startswith(b"PAR1"):
        return lighteval.FORMAT
    text = start.decode("utf-8-sig", errors="replace").lstrip()
    found = _json(text) if text[:1] in ("{", "[") else _table(text)
    if found is None:
        raise BadSource(_UNKNOWN, hint=_HINT)
    return found


def _zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError) as error:
        raise BadSource(f"not a readable zip file ({error})") from error
    if sheet.WORKBOOK in names:
        return vlmevalkit.FORMAT
    if names & set(inspect_log.HEADERS):
        return inspect_log.FORMAT
    raise BadSource(_UNKNOWN, hint=_HINT)


def _json(text: str) -> str | None:
    line = text.partition("\n")[0]
    try:
        first: Any = json.loads(line)
    except (ValueError, RecursionError):  # one value over many lines, or one longer than what was looked at
        return _by_words(text)
    if isinstance(first, list):
        return _by_words(text)
    return _of_record(first) if isinstance(first, Mapping) else None


def _of_record(record: Mapping[str, Any]) -> str | None:
    names = set(record)
    if "doc_id" in names and names & {"resps", "filtered_resps"}:
        return lmms_eval.FORMAT
    if "index" in names and names & {"model_output", "sample_score"}:
        return evalscope.FORMAT
    if {"eval", "samples"} <= names:
        return inspect_log.FORMAT
    if isinstance(record.get(vlmevalkit.TEXT), Mapping):
        return vlmevalkit.FORMAT
    return ours.JSONL if names & {"sample_id", "id"} and names & {"text", "model_answer", "answer"} else None


def _by_words(text: str) -> str | None:
    """A log of inspect_ai starts with its version, status and `eval`; rows of VLMEvalKit have predictions."""
    if text.startswith("{") and '"eval"' in text and ('"version"' in text or '"samples"' in text):
        return inspect_log.FORMAT
    return vlmevalkit.FORMAT if f'"{vlmevalkit.TEXT}"' in text else None


def _table(text: str) -> str | None:
    header = text.partition("\n")[0].rstrip("\r")
    delimiter = next((mark for mark in "\t;," if mark in header), None)
    if delimiter is None:
        return None
    try:
        names = {name.strip() for name in next(csv.reader([header], delimiter=delimiter))}
    except csv.Error:
        return None
    if delimiter == "\t":
        return vlmevalkit.FORMAT if {vlmevalkit.KEY, vlmevalkit.TEXT} <= names else None
    is_ours = names & {"sample_id", "id"} and names & {"model_answer", "text", "answer"}
    return ours.UPSTREAM if is_ours else None
