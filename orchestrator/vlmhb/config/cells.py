"""One cell's text to a typed value, or an error that names the cell."""

from __future__ import annotations

import ast
import json
import math
import re
from typing import Any

from vlmhb.contracts import Place
from vlmhb.errors import BadList, BadValue
from vlmhb.reading.names import shown

from .columns import KINDS

Value = str | bool | int | float | tuple[str, ...] | None

_TRUE = frozenset({"true", "истина", "да", "yes", "y", "1", "1.0"})
_FALSE = frozenset({"false", "ложь", "нет", "no", "n", "0", "0.0"})
_MARKS = "[](){}'\"«»“”‘’`"
_LIST_HINT = "write ['CER', 'WER'] or [\"CER\", \"WER\"]"
_MAX_LIST = 10_000  # characters
_DIGITS = re.compile(r"[+-]?[0-9]+")
_MAX_DIGITS = 18
_EXACT = 2**53  # whole numbers up to here are exact as floats
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}([., ][0-9]{3})+")
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"  # copied along from web pages and chats


def parse_cell(text: str, *, column: str, place: Place) -> Value:
    """The value of `column`. Empty gives None (False for a yes/no column).

    Raises `BadValue` or `BadList`."""
    kind = KINDS[column]
    if not text.strip():
        return False if kind == "bool" else None
    if kind == "exact":
        return text
    text = text.strip().strip(_INVISIBLE).strip()
    if kind == "bool":
        return _bool(text, place=place)
    if kind == "int":
        return _int(text, place=place)
    if kind == "float":
        return _float(text, place=place)
    return parse_list(text, place=place) if kind == "list" else text


def _bool(text: str, *, place: Place) -> bool:
    key = text.casefold()
    if key in _TRUE or key in _FALSE:
        return key in _TRUE
    raise BadValue(f"{shown(text)} is not yes or no", where=str(place), hint="write True or False")


def _int(text: str, *, place: Place) -> int:
    """Digits exactly as written; also what a spreadsheet makes of them: `5.0`, `5,00`, `1E+03`."""
    if _DIGITS.fullmatch(text) and len(text) <= _MAX_DIGITS:
        return int(text)
    if _THOUSANDS.fullmatch(text):
        hint = f"write {re.sub('[., ]', '', text)}, or {re.split('[., ]', text)[0]}"
        raise BadValue(f"{shown(text)} is not a clear whole number", where=str(place), hint=hint)
    number = _number(text)
    if number is None or not number.is_integer() or abs(number) > _EXACT:
        raise BadValue(f"{shown(text)} is not a whole number", where=str(place))
    return int(number)


def _float(text: str, *, place: Place) -> float:
    number = _number(text)
    if number is None:
        raise BadValue(f"{shown(text)} is not a number", where=str(place))
    return number


def _number(text: str) -> float | None:
    """Spreadsheets write 5 as `5.0`, and in Russian 0.7 as `0,7`."""
    try:
        number = float(text.replace(",", ".", 1))
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def parse_list(text: str, *, place: Place) -> tuple[str, ...]:
    """A Python or JSON list, or bare words with commas between them. Raises `BadList`."""
    if not any(mark in text for mark in _MARKS):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    value = _literal(text)
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str | int) for item in items):
        raise BadList(f"{shown(text)} is not a list of names", where=str(place), hint=_LIST_HINT)
    return tuple(str(item).strip() for item in items)


def _literal(text: str) -> Any:
    if len(text) > _MAX_LIST:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
