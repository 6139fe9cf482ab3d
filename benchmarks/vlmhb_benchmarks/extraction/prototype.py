"""Reads replies as the scripts of the VLMHyperBench prototype did: a class index, an order of pages."""

from __future__ import annotations

import json
import re
from typing import Any

from vlmhb_benchmarks.extraction.base import Extracted, Extraction
from vlmhb_benchmarks.metrics.base import Context

_INDEX = re.compile(r"\s*(\d{1,6})\s*")
_FENCE = re.compile(r"```(?:json)?([^`]*)(?:```|\Z)")
_LIST = re.compile(r"\[([^\[\]]*)\]")
_DIGITS = re.compile(r"\d{1,9}")
_MAX_JSON = 100_000  # characters: an order of pages is short, and the JSON reader recurses


def class_index(reply: str, context: Context) -> Extracted:
    """A reply that is one number and nothing else is a position in the list of classes."""
    found = _INDEX.fullmatch(reply)
    if found is None:
        return Extracted(text="None", found=False)
    index = int(found.group(1))
    if not context.choices:
        return Extracted(text=str(index), found=True)
    known = index < len(context.choices)
    return Extracted(text=context.choices[index] if known else "None", found=known)


def page_order(reply: str, _: Context) -> Extracted:
    """JSON, fenced or bare, with `ordered_pages`; else the first list in brackets; else all numbers."""
    fenced = _FENCE.search(reply)
    for text in ([fenced.group(1)] if fenced else []) + [reply]:
        pages = _from_json(text)
        if pages is not None:
            return _order(pages)
    for listed in _LIST.finditer(reply):
        if pages := _DIGITS.findall(listed.group(1)):
            return _order([int(page) for page in pages])
    return _order([int(page) for page in _DIGITS.findall(reply)])


def _order(pages: list[int]) -> Extracted:
    return Extracted(text=json.dumps(pages) if pages else "", found=bool(pages))


def _from_json(text: str) -> list[int] | None:
    if len(text) > _MAX_JSON:
        return None
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    pages = value.get("ordered_pages") if isinstance(value, dict) else value
    if not isinstance(pages, list):
        return None
    numbers = [str(page).strip() for page in pages]
    return [int(page) for page in numbers] if all(map(_DIGITS.fullmatch, numbers)) else None


CLASS_INDEX = Extraction(
    name="class_index",
    version="1",
    description="the class (a choice of the sample) at the position that the reply names, counted from 0; "
    "without choices the number itself",
    source="VLMHyperBench prototype, check_classifiication.py",
    on_miss="the class `None`, as the prototype counts it",
    rule=class_index,
)
PAGE_ORDER = Extraction(
    name="page_order",
    version="1",
    description='page numbers as a JSON list: from `{"ordered_pages": […]}` (fenced or bare), the first list in '
    "brackets, or all numbers of the reply",
    source="VLMHyperBench prototype, check_page_sorting.py",
    on_miss="nothing, so the sample is wrong: the prototype leaves it out",
    rule=page_order,
)
