"""Reads values that stand in a text as JSON or as a Python literal: references, metadata, replies."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from typing import Any

# What the literal parser raises on texts that are no literal, hostile ones included.
_NO_LITERAL = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)
_MAX_DEPTH = 200  # of a value; nothing that people write is nested deeper, and walking it would end the stack


def literal(text: str) -> Any | None:
    """The Python literal that `text` is; None if it is none."""
    try:
        return ast.literal_eval(text)
    except _NO_LITERAL:
        return None


def value_of(text: str) -> Any | None:
    """What a reference or a metadata column says: JSON, or as people export it, a Python literal."""
    stripped = text.strip()
    try:
        value = json.loads(stripped)
    except (ValueError, RecursionError):
        value = literal(stripped)
    return None if is_too_deep(value) else value


def is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()
