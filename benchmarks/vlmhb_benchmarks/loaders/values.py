"""Turns the values of a dataset's cells into texts: references, choices and metadata, kept as written.

Numbers of typed files (parquet, arrow) have no written form: whole numbers become their digits, floats the shortest
text that reads back as the same number (`12.5`, `12.0`), decimals keep their zeros, true and false are lower case.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from string import ascii_uppercase
from typing import Any

from vlmhb_benchmarks.loaders.base import BadRow
from vlmhb_benchmarks.loaders.exactjson import as_written, dumps_exact

# How an answer names its choice: as it stands, by its place from 0 or from 1, or by its text.
ANSWER_CHOICES = ("written", "index", "index1", "text")

# Usual shapes of one annotation as a struct, and the member that is the answer (SQuAD, VQA v2, plain).
_ANNOTATIONS: Mapping[str, tuple[str, ...]] = {
    "text": ("answer_start", "answer_end", "text"),
    "answer": ("answer", "answer_confidence", "answer_id"),
}


def text_of(value: Any) -> str:
    """The text of a cell: nested values as JSON, null as the empty text."""
    if isinstance(value, str):
        return as_written(value)
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return dumps_exact(value, default=_plain)


def _plain(value: Any) -> str:
    """What JSON has no form for."""
    if isinstance(value, bytes):
        raise BadRow("bytes where a text is needed")
    return value.isoformat() if isinstance(value, datetime | date | time) else str(value)


def metadata_text(value: Any) -> str:
    """As `text_of`, but a list of one item is that item: `["form"]` is the slice `form`."""
    return text_of(value[0] if isinstance(value, list) and len(value) == 1 else value)


def text_list(cell: str) -> tuple[str, ...]:
    """The texts of a Python list of texts; empty for anything else, e.g. `[1, 2]`, which is a text itself."""
    if not (cell.startswith("[") and cell.endswith("]")):
        return ()
    try:
        value = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    return tuple(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else ()


def references_of(value: Any, *, lists: bool, structs: bool) -> tuple[str, ...]:
    """The accepted answers of a cell. `lists`: a text may hold a Python list; `structs`: a struct may be an annotation.

    Raises `BadRow` when there is none; an empty text is one."""
    if isinstance(value, str) and lists:
        return text_list(value) or (text_of(value),)
    value = _unwrapped(value) if structs else value
    if not isinstance(value, list):
        value = [value]
    items = [_unwrapped(item) if structs else item for item in value]
    flat = [part for item in items for part in (item if isinstance(item, list) else [item])]
    if not flat or any(item is None for item in flat):
        raise BadRow("no answer")
    return tuple(text_of(item) for item in flat)


def _unwrapped(value: Any) -> Any:
    """The answer inside a struct of an annotation; other structs are answers themselves."""
    if isinstance(value, dict):
        for member, known in _ANNOTATIONS.items():
            if member in value and set(value) <= set(known):
                return value[member]
    return value


def fields_json(fields: Mapping[str, Sequence[str]]) -> str:
    """One JSON object of labelled texts: a text, or the list of them where a label has several."""
    return dumps_exact({label: texts[0] if len(texts) == 1 else texts for label, texts in fields.items()})


def choices_of(value: Any) -> tuple[str, ...] | None:
    """The choices of one cell: a list, a text that holds one, `{text: [...]}`, or `{A: ..., B: ...}`."""
    if isinstance(value, str):
        if not value.strip():
            return None
        value = list(text_list(value)) or _json_list(value)
    if isinstance(value, dict):
        value = value["text"] if isinstance(value.get("text"), list) else _by_letter(value)
    if not value:
        return None
    if not isinstance(value, list):
        raise BadRow("choices must be a list")
    return checked_choices(tuple(text_of(item) for item in value))


def _json_list(text: str) -> list[Any]:
    try:
        value = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        value = None
    if not isinstance(value, list):
        raise BadRow("choices must be a list")
    return value


def _by_letter(value: Mapping[str, Any]) -> list[Any]:
    filled = {key: item for key, item in value.items() if item not in (None, "")}
    expected = list(ascii_uppercase[: len(filled)])
    if sorted(filled) != expected:
        raise BadRow(f"choices {', '.join(sorted(filled))} are not A, B, ... in one row")
    return [filled[letter] for letter in expected]


def checked_choices(choices: tuple[str, ...]) -> tuple[str, ...]:
    """Raises `BadRow` when the letters do not suffice."""
    if len(choices) > len(ascii_uppercase):
        raise BadRow(f"{len(choices)} choices, more than there are letters")
    return choices


def choices_in_columns(cells: Mapping[str, Any]) -> tuple[str, ...] | None:
    """`cells`: column -> text; empty ones may stand at the end only. Raises `BadRow`."""
    filled = [name for name, cell in cells.items() if cell not in (None, "")]
    if filled != list(cells)[: len(filled)]:
        raise BadRow(f"choices {', '.join(filled)}: one before them is empty")
    return checked_choices(tuple(text_of(cells[name]) for name in filled)) or None


def as_letter(reference: str, *, choices: tuple[str, ...] | None, rule: str) -> str:
    """The letter of the choice that `reference` names; `rule`: one of `ANSWER_CHOICES`. Raises `BadRow`.

    Rows without choices stay as they are."""
    if choices is None or rule == "written":
        return reference
    find: Callable[[], int] = {
        "text": lambda: choices.index(reference),
        "index": lambda: range(len(choices)).index(int(reference)),
        "index1": lambda: range(1, len(choices) + 1).index(int(reference)),
    }[rule]
    try:
        return ascii_uppercase[find()]
    except ValueError as error:
        raise BadRow(f"the answer {reference[:60]} is none of the {len(choices)} choices") from error
