"""Finds the JSON value in a model's answer: bare, in a Markdown fence, or inside prose."""

from __future__ import annotations

import json
import re
from typing import Any

_FENCE = re.compile(r"```[A-Za-z0-9]*[ \t]*\r?\n?(.*?)(?:```|\Z)", re.DOTALL)
# An answer made of thousands of opening braces must not cost quadratic time.
_MAX_STARTS = 64

_decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, strict=False)


def find_json(text: str) -> Any | None:
    """The first object or array in `text`, None where there is none. Numbers stay as written, as strings.

    Order: the whole text, each fenced block (a missing closing fence is forgiven), then the first position
    in the text where an object parses. Single quotes and trailing commas are not JSON.
    """
    for candidate in (text, *(match.group(1) for match in _FENCE.finditer(text))):
        value = _decode(candidate.strip(), start=0, whole=True)
        if isinstance(value, dict | list):
            return value
    return _embedded(text)


def _embedded(text: str) -> Any | None:
    start = text.find("{")
    for _ in range(_MAX_STARTS):
        if start < 0:
            return None
        value = _decode(text, start=start, whole=False)
        if isinstance(value, dict):
            return value
        start = text.find("{", start + 1)
    return None


def _decode(text: str, *, start: int, whole: bool) -> Any | None:
    """RecursionError: thousands of nested brackets are not an answer."""
    try:
        value, end = _decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return None if whole and end != len(text) else value
