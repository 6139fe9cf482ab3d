"""Reads an order of pages from an answer or a reference."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from vlmhb_benchmarks.metrics.json_answer import find_json

Order = tuple[int, ...]

MAX_CHARS = 200_000
_LIST = re.compile(r"\[[0-9\s,]+\]")
_NUMBERS = re.compile(r"(?<![\w.])[0-9]{1,9}(?!\w|\.[0-9])")


def read_order(text: str) -> Order | None:
    """Page numbers in order, None where there is none.

    In turn: JSON `{"ordered_pages": [...]}`, a JSON list, the prototype's `{"fields": {name: [...]}}`, the first list
    of numbers in brackets, all whole numbers of the text."""
    if len(text) > MAX_CHARS:
        return None
    value = find_json(text)
    if isinstance(value, dict) and "ordered_pages" not in value and isinstance(value.get("fields"), dict):
        value = next(iter(value["fields"].values()), None)
    pages = _pages(value.get("ordered_pages") if isinstance(value, dict) else value)
    if pages:
        return pages
    listed = _LIST.search(text)
    found = _NUMBERS.findall(listed.group() if listed else text)
    return tuple(int(number) for number in found) or None


def _pages(value: Any) -> Order | None:
    """Numbers stand as strings in what `find_json` gives."""
    if not isinstance(value, list) or not all(isinstance(page, str) and _is_page(page) for page in value):
        return None
    return tuple(int(page) for page in value)


def _is_page(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def positions(order: Sequence[int]) -> dict[int, int]:
    """Where each page stands; its first place, if it is named twice."""
    places: dict[int, int] = {}
    for place, page in enumerate(order):
        places.setdefault(page, place)
    return places
