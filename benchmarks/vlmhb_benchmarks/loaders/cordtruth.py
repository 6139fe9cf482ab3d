"""The references that CORD's annotation of a receipt gives: the parsed receipt, or its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vlmhb_benchmarks.loaders.base import BadRow
from vlmhb_benchmarks.loaders.boxes import Box, box_of, in_reading_order
from vlmhb_benchmarks.loaders.exactjson import dumps_exact

TARGETS = ("kie", "text")
LISTS = ("menu", "void_menu")  # one item per group of lines
CORNERS = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")


def reference_of(truth: Any, *, target: str) -> str:
    """`truth`: the object of a file or of a `ground_truth` cell. Raises `BadRow`.

    The parsed receipt is the file's own `gt_parse`; files without one (the first release) give it by their lines."""
    if not isinstance(truth, Mapping):
        raise BadRow("not a JSON object")
    if target == "kie" and isinstance(truth.get("gt_parse"), Mapping):
        return dumps_exact(truth["gt_parse"])
    lines = truth.get("valid_line")
    if not isinstance(lines, list):
        raise BadRow("neither gt_parse nor valid_line" if target == "kie" else "no list valid_line")
    try:
        return dumps_exact(_parsed(lines)) if target == "kie" else _page_text(lines)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadRow(f"valid_line is not lines of words, category and group_id ({error!r})") from error


def _page_text(lines: Sequence[Mapping[str, Any]]) -> str:
    words = [_word(word) for line in lines for word in line["words"]]
    return "\n".join(in_reading_order([word for word in words if word.text.strip()]))


def _word(word: Mapping[str, Any]) -> Box:
    return box_of(word["text"], [float(word["quad"][corner]) for corner in CORNERS])


def _parsed(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`menu.nm` of group 3 is `nm` of the menu item 3; `menu.sub_nm` is `nm` of the item's `sub`."""
    parsed: dict[str, Any] = {}
    items: dict[tuple[str, str], dict[str, Any]] = {}
    for line in lines:
        area, _, field = str(line["category"]).partition(".")
        text = " ".join(word["text"] for word in line["words"])
        if area in LISTS:
            key = (area, str(line["group_id"]))
            if key not in items:
                items[key] = {}
                parsed.setdefault(area, []).append(items[key])
            _put(items[key], field, text)
        else:
            _put(parsed.setdefault(area, {}), field, text)
    return parsed


def _put(item: dict[str, Any], field: str, text: str) -> None:
    """Lines of one field follow each other in a text."""
    if field.startswith("sub_"):
        item, field = item.setdefault("sub", {}), field.removeprefix("sub_")
    item[field] = f"{item[field]} {text}" if field in item else text
