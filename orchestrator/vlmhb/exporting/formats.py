"""The formats that results can be exported in, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from vlmhb.exporting.hub import leaderboard, model_index
from vlmhb.exporting.inspect_log import inspect
from vlmhb.exporting.lmms_eval import lmms_eval
from vlmhb.exporting.source import Evaluated
from vlmhb.exporting.tables import csv, jsonl
from vlmhb.exporting.target import Export
from vlmhb.exporting.upstream import upstream
from vlmhb.exporting.vlmevalkit import vlmevalkit


class Format(Protocol):
    def __call__(self, evaluations: Sequence[Evaluated], *, references: bool) -> Export:
        """`references`: whether reference answers may be written. Raises `ExportRefused`."""


FORMATS: Mapping[str, Format] = {
    "upstream": upstream,
    "vlmevalkit": vlmevalkit,
    "lmms-eval": lmms_eval,
    "inspect": inspect,
    "model-index": model_index,
    "leaderboard": leaderboard,
    "csv": csv,
    "jsonl": jsonl,
}


def export(name: str, evaluations: Sequence[Evaluated], *, references: bool) -> Export:
    """Without `references` no format gets to see any. Raises `ExportRefused`."""
    given = evaluations if references else [one.without_references() for one in evaluations]
    return FORMATS[name](given, references=references)
