"""OCRBench v2: answers that are a dictionary, and the field F1 over them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from vlmhb_benchmarks.metrics.suites.literals import literal, value_of

_FENCE = re.compile(r"```(?:python|json)?\n(.*?)\n```", re.DOTALL | re.IGNORECASE)
_WORDS = re.compile(r"[\w\s]+")
_VALUE = re.compile(r"[\"']?\s*[:=]\s*[\"']?([^\n,\"'{}]+)[\"']?")
_ASSIGNMENT = re.compile(r"^\s*\w+\s*=\s*")
_COMMENT = re.compile(r"#.*")


def answered_fields(answer: str) -> dict[str, str]:
    """A reply as `{name: text}`: its first code block or all of it, as JSON, as a literal, or pair by pair."""
    block = _FENCE.search(answer)
    content = block.group(1) if block else answer.strip()
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        data = literal(content)
        data = _pairs(content) if data is None else data
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        return {}
    return {key.strip(): str(value).strip() for key, value in data.items()}


def _pairs(content: str) -> dict[str, str]:
    """Every `name: text` and `name = text`, quotes around either optional. Linear in the length of the reply."""
    pairs: dict[str, str] = {}
    position = 0
    while (words := _WORDS.search(content, position)) is not None:
        value = _VALUE.match(content, words.end())
        position = value.end() if value else words.end()
        if value:
            pairs[words.group().strip()] = value.group(1).strip()
    return pairs


def answered_dict(answer: str) -> dict[Any, Any]:
    """A chart as a Python dictionary: the longest code block or all of it, an assignment and comments taken off."""
    blocks = _FENCE.findall(answer)
    content = max(blocks, key=len) if blocks else answer.strip()
    content = _COMMENT.sub("", _ASSIGNMENT.sub("", content.strip(), count=1))
    end = content.rfind("}")
    value = literal(content[: end + 1] if end >= 0 else content)
    return value if isinstance(value, dict) else {}


def gold_dict(reference: str) -> dict[str, Any] | None:
    """The dictionary that a reference says, JSON or Python, quoted once more or not. None: it says none.

    It is read from the reference alone: a reference that cannot be read never takes the answer's place."""
    value = value_of(reference)
    if isinstance(value, str):
        value = value_of(value)
    if value is None:
        value = value_of(reference.strip().strip('"'))
    return value if isinstance(value, dict) else None


def field_f1(answer: Mapping[str, str], gold: Mapping[str, Any]) -> float:
    """The share of right fields among all fields of both sides; a list in the gold names alternatives.

    The official script tries every combination of alternatives; as fields count one by one, the best alternative of
    each is the best combination."""
    scores = [
        float(_right(answer[key], gold.get(key))) if key in answer else 0.0 for key in _counted(answer, gold)
    ]
    return sum(scores) / len(scores) if scores else 0.0


def _counted(answer: Mapping[str, str], gold: Mapping[str, Any]) -> list[str]:
    """All fields but those that the gold may leave open and the answer leaves out."""
    optional = {key for key, value in gold.items() if None in _alternatives(value)}
    return sorted(
        answer.keys() | (gold.keys() - optional), key=str
    )  # a Python literal may have numbers as keys


def _alternatives(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _right(answer: str, gold: Any) -> bool:
    written = _normal(answer)
    return any(written == _normal(str(value)) for value in _alternatives(gold) if value is not None)


def _normal(text: str) -> str:
    return text.lower().strip().replace("\n", " ").replace(" ", "")
