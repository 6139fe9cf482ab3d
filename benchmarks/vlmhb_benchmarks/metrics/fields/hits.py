"""Counts of fields right, wrong and missed, and the ratios made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from vlmhb_benchmarks.metrics.text import collapse

Fields = Counter[tuple[str, str]]  # (path, text) of a leaf


class Hits(NamedTuple):
    """Fields right, fields answered wrongly or invented, fields missed. Additive."""

    right: float
    wrong: float
    missed: float


def f1(hits: Hits) -> float | None:
    total = 2 * hits.right + hits.wrong + hits.missed
    return 2 * hits.right / total if total else None


def precision(hits: Hits) -> float | None:
    answered = hits.right + hits.wrong
    return hits.right / answered if answered else None


def recall(hits: Hits) -> float | None:
    wanted = hits.right + hits.missed
    return hits.right / wanted if wanted else None


def counted(answer: Fields, gold: Fields) -> Hits:
    """What two sets of fields have in common. A field that is named wrongly is wrong and missed."""
    right = (answer & gold).total()
    return Hits(right=float(right), wrong=float(answer.total() - right), missed=float(gold.total() - right))


def by_path(answer: Fields, gold: Fields) -> Mapping[str, Hits]:
    """`counted` for each path by itself, in order of the paths."""
    split_answer, split_gold = _split(answer), _split(gold)
    empty: Fields = Counter()
    return {
        path: counted(split_answer.get(path, empty), split_gold.get(path, empty))
        for path in sorted(split_answer.keys() | split_gold.keys())
    }


def _split(fields: Fields) -> dict[str, Fields]:
    split: dict[str, Fields] = {}
    for (path, text), count in fields.items():
        split.setdefault(path, Counter())[(path, text)] = count
    return split


def unwrapped(value: Any) -> Any:
    """The prototype's gold `{"fields": {name: {"value": text, "bboxes": ...}}}` as `{name: ...}`."""
    if isinstance(value, dict) and isinstance(value.get("fields"), dict):
        return value["fields"]
    return value


def fields_of(value: Any, *, prepare: Callable[[str], str] = collapse) -> Fields:
    """(path, text) of every leaf with a text. Positions in lists are not part of a path, so order does not count."""
    return Counter(leaves(unwrapped(value), prepare=prepare))


def leaves(value: Any, *, prepare: Callable[[str], str], path: str = "") -> Iterator[tuple[str, str]]:
    value = unboxed(value)
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, prepare=prepare, path=join(path, key))
    elif isinstance(value, list):
        for child in value:
            yield from leaves(child, prepare=prepare, path=path)
    elif text := prepare(leaf_text(value)):
        yield path, text


def unboxed(value: Any) -> Any:
    """The value of a field that also says its place on the page, `{"value": ..., "bboxes": ...}`."""
    boxed = isinstance(value, dict) and "value" in value and "bboxes" in value
    return value["value"] if boxed else value


def join(path: str, key: object) -> str:
    name = collapse(str(key))
    return f"{path}/{name}" if path else name


def leaf_text(value: Any) -> str:
    """An empty text and null both mean that there is no such field."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
