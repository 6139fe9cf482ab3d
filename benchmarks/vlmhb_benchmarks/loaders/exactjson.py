"""JSON whose numbers stay as they are written: `12.50` does not become `12.5` on its way through Python."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

# A character of the private use area: no text that people write has it around a number.
_MARK = "\ue000"
_MARKED = re.compile(f'"{_MARK}([^"{_MARK}]*){_MARK}"')


def loads_exact(text: str) -> Any:
    """Numbers with a point or an exponent become marked texts, which only `dumps_exact` understands."""
    return json.loads(text, parse_float=lambda number: f"{_MARK}{number}{_MARK}")


def dumps_exact(value: Any, *, default: Callable[[Any], str] | None = None) -> str:
    """One line of JSON; also for values that are not from `loads_exact`."""
    return _MARKED.sub(r"\1", json.dumps(value, ensure_ascii=False, default=default))
