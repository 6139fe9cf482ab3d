"""Finds the JSON value in a model's answer: bare, in a Markdown fence, or inside prose."""

from __future__ import annotations

import json
import re
from typing import Any

_FENCE = re.compile(r"```[A-Za-z0-9]*[ \t]*\r?\n?(.*?)(?:```|\Z)", re.DOTALL)
_ARRAY_START = re.compile(r"\[\s*[{\[\"\]]")
_BRACKET = re.compile(r"[{\[]")
_MARKS = re.compile(r'["{}\[\]]')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
# Python's own JSON scanner recurses; an answer nested deeper than this is no document.
_MAX_DEPTH = 200

_as_text = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, strict=False)
_as_numbers = json.JSONDecoder(strict=False)


def find_json(text: str) -> Any | None:
    """The first object or array in `text`, None where there is none. Numbers stay as written, as strings.

    Order: the whole text, each fenced block (a missing closing fence is forgiven), then the first bracket in the
    text that opens a value. Single quotes, trailing commas and a value that is cut off are not JSON: what stands
    inside such a broken value is never read in its place."""
    return _find(text, decoder=_as_text)


def find_typed_json(text: str) -> Any | None:
    """As `find_json`, with numbers as numbers, for checks against a schema."""
    return _find(text, decoder=_as_numbers)


def _find(text: str, *, decoder: json.JSONDecoder) -> Any | None:
    for candidate in (text, *(match.group(1) for match in _FENCE.finditer(text))):
        value = _whole(candidate.strip(), decoder=decoder)
        if value is not None:
            return value
    return _embedded(text, decoder=decoder)


def _whole(text: str, *, decoder: json.JSONDecoder) -> Any | None:
    if not text.startswith(("{", "[")):
        return None
    end = closing(text, start=0)
    return _decode(text, decoder=decoder) if end == len(text) else None


def _embedded(text: str, *, decoder: json.JSONDecoder) -> Any | None:
    """A list in prose counts only if it begins like one of objects, lists or texts: `[1]` is a footnote. An empty
    object or list counts only where nothing else is found."""
    empty: Any | None = None
    start = 0
    while (bracket := _BRACKET.search(text, start)) is not None:
        start = bracket.end()
        if bracket.group() == "[" and not _ARRAY_START.match(text, bracket.start()):
            continue
        end = closing(text, start=bracket.start())
        if end is None:
            return None
        value = _decode(text[bracket.start() : end], decoder=decoder)
        if value:
            return value
        empty = value if empty is None else empty
        start = end
    return empty


def closing(text: str, *, start: int) -> int | None:
    """Where the value that opens at `start` ends; None if it is cut off, or nested too deep."""
    depth, position = 0, start
    while (mark := _MARKS.search(text, position)) is not None:
        position = mark.end()
        if mark.group() == '"':
            string = _STRING.match(text, mark.start())
            if string is None:
                return None
            position = string.end()
            continue
        depth += 1 if mark.group() in "{[" else -1
        if depth == 0:
            return position
        if depth > _MAX_DEPTH:
            return None
    return None


def _decode(text: str, *, decoder: json.JSONDecoder) -> Any | None:
    """ValueError also stands for an integer of thousands of digits."""
    try:
        value, end = decoder.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return value if end == len(text) and isinstance(value, dict | list) else None
