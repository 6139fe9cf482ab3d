"""JSON whose numbers stay as they are written: `12.50` does not become `12.5` on its way through Python."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

# Half of a surrogate pair: no text that can be written to a file has it around a number.
_MARK = "\ud800"
_MARKED = re.compile(f'"{_MARK}([^"{_MARK}]*){_MARK}"')


def loads_exact(text: str) -> Any:
    """Numbers with a point or an exponent become marked texts, for `dumps_exact` and `as_written`."""
    return json.loads(text, parse_float=lambda number: f"{_MARK}{number}{_MARK}")


def as_written(text: str) -> str:
    """A text, or the number that stands for itself in it."""
    is_number = len(text) > 1 and text.startswith(_MARK) and text.endswith(_MARK)
    return text[1:-1] if is_number else text


def dumps_exact(value: Any, *, default: Callable[[Any], str] | None = None) -> str:
    """One line of JSON; also for values that are not from `loads_exact`."""
    return _MARKED.sub(r"\1", json.dumps(value, ensure_ascii=False, default=default))
