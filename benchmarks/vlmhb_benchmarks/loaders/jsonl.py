"""Reads our own dataset format, one JSON object a line, and JSON files with one list of such objects.

Numbers are kept as they are written (`12.50` stays `12.50`). A line that cannot be used costs one sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import BadRow, RawSample, find_file, shown
from vlmhb_benchmarks.loaders.columns import METADATA, Table, TableParams, loose_table, read_params
from vlmhb_benchmarks.loaders.exactjson import loads_exact
from vlmhb_benchmarks.loaders.jsontext import JsonText, records
from vlmhb_benchmarks.loaders.records import Reader, Row
from vlmhb_benchmarks.loaders.values import text_of

# Usual names of reference answers: whatever they hold, it must not reach the inference side.
GOLD_KEYS = (
    "answer",
    "answers",
    "reference",
    "references",
    "gold",
    "ground_truth",
    "gt",
    "label",
    "labels",
    "target",
    "answer_bbox",
)
GOLD_WORDS = (
    "answer",
    "gold",
    "truth",
    "solution",
    "rationale",
    "explanation",
    "correct",
    "reference",
    "ответ",
    "эталон",
    "решение",
)
FILES = ("samples.jsonl",)
USUAL = {"id": ("id",), "choices": ("choices",), "hint": ()}


def load_jsonl(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: those of tables (docs/benchmarks.md), and `records`: the name of the list in a JSON object.

    Without `id`: the 0-based position. A line that is no JSON object is `line-<row>`: a position could be the id
    of another sample."""
    table_params = read_params(params, loader="jsonl", own=("records",), usual=USUAL)
    path = find_file(root, name=params.get("file"), defaults=FILES)
    name = shown(path, root=root)
    reader = Reader(
        params=table_params,
        root=path.parent if root.is_file() else root,
        table=_tables(table_params),
        structs=False,
        public=METADATA.__contains__ if "metadata" in params else _is_harmless,
    )
    texts = records(path, name=name, member=params.get("records"))
    rows = (_row(text, position=position, name=name) for position, text in enumerate(texts))
    yield from reader.samples(rows)


def _is_harmless(key: str) -> bool:
    """Not a reference answer by any usual name; what looks like one goes to the labels."""
    name = key.lower()
    return name not in GOLD_KEYS and not any(word in name for word in GOLD_WORDS)


def _tables(params: TableParams) -> Callable[[Mapping[str, Any]], Table]:
    """Lines have no header: the meaning of their keys is worked out once for each set of keys."""
    known: dict[tuple[str, ...], Table] = {}

    def table(data: Mapping[str, Any]) -> Table:
        keys = tuple(data)
        if keys not in known:
            known[keys] = loose_table(params, keys)
        return known[keys]

    return table


def _row(record: JsonText, *, position: int, name: str) -> Row:
    data: dict[str, Any] = {}
    extra: Mapping[str, Any] = {}
    problem = None
    own_name = f"line-{record.row}"
    try:
        data = _parse(record.text)
        own_name = text_of(data.get("id")) or own_name
        extra = _own_metadata(data)
        _tidy(data)
    except BadRow as bad:
        problem = str(bad)
    return Row(
        data=data, position=position, file=name, row=record.row, name=own_name, extra=extra, problem=problem
    )


def _parse(text: str) -> dict[str, Any]:
    try:
        data = loads_exact(text)
    except (ValueError, RecursionError) as error:
        raise BadRow(f"not JSON ({error})") from error
    if not isinstance(data, dict):
        raise BadRow("not a JSON object")
    return data


def _own_metadata(data: dict[str, Any]) -> dict[str, Any]:
    """Takes the key `metadata` out of `data`."""
    value = data.pop("metadata", None)
    if value is not None and not isinstance(value, dict):
        raise BadRow("metadata must be a JSON object")
    return value or {}


def _tidy(data: dict[str, Any]) -> None:
    """Of the two spellings of one key the filled one, or the plural, counts."""
    if "answers" in data and data["answers"] is None:
        del data["answers"]
    if "images" in data:
        if not isinstance(data["images"], list):
            raise BadRow("images must be a list")
        data.pop("image", None)
