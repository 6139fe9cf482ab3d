"""The truth files of the prototype's document datasets, in all their forms, and the words of its prompts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import BadRow
from vlmhb_benchmarks.loaders.folders import read_object

CLASSES = "{classes}"


def with_classes(prompt: str, *, names: Sequence[str]) -> str:
    """`{classes}` is replaced and nothing else: a prompt may show JSON, whose braces stay."""
    return prompt.replace(CLASSES, ", ".join(f"{number}: {name}" for number, name in enumerate(names)))


def fields_of(truth: Mapping[str, Any]) -> dict[str, Any]:
    """Field -> value, from `{"fields": {name: {"value": ..., "bboxes": ...}}}` or the older `{name: text}`."""
    fields = truth.get("fields", truth)
    if not isinstance(fields, dict):
        raise BadRow("fields is no JSON object")
    return {name: _value(name, field) for name, field in fields.items()}


def _value(name: str, field: Any) -> Any:
    if not isinstance(field, dict):
        return field
    if "value" not in field:
        raise BadRow(f"field {name} has no value")
    return field["value"]


def boxes_of(truth: Mapping[str, Any]) -> dict[str, Any]:
    """Field -> boxes, of the fields that have some."""
    fields = truth.get("fields")
    if not isinstance(fields, dict):
        return {}
    return {
        name: field["bboxes"]
        for name, field in fields.items()
        if isinstance(field, dict) and field.get("bboxes")
    }


def field_names(paths: Iterable[Path]) -> list[str]:
    """All field names of a class in the order in which they first appear; damaged files are told by their samples."""
    names: dict[str, None] = {}
    for path in paths:
        try:
            names |= dict.fromkeys(fields_of(read_object(path)))
        except BadRow:
            continue
    return list(names)


def page_groups(truth: Mapping[str, Any]) -> dict[str, list[int]]:
    """Document type -> its pages, from 0, in their right order. Raises `BadRow`."""
    fields = truth.get("fields", truth)
    if not isinstance(fields, dict):
        raise BadRow("fields is no JSON object")
    groups = {name: pages for name, pages in fields.items() if isinstance(pages, list)}
    for name, pages in groups.items():
        if not all(isinstance(page, int) and not isinstance(page, bool) and page >= 0 for page in pages):
            raise BadRow(f"{name} is no list of page numbers from 0")
    if not groups:
        raise BadRow("no list of pages in fields")
    return groups


def order_of(truth: Mapping[str, Any], *, doc_class: str, pages: int) -> list[int]:
    """The right order of a document's pages, counted from 1. Raises `BadRow` unless each page stands there once."""
    groups = page_groups(truth)
    if doc_class not in groups and len(groups) != 1:
        raise BadRow(f"several orders of pages ({', '.join(groups)}), none for {doc_class}")
    order = groups.get(doc_class) or next(iter(groups.values()))
    if sorted(order) != list(range(pages)):
        raise BadRow(f"the order {order} does not name each of {pages} pages once")
    return [page + 1 for page in order]
