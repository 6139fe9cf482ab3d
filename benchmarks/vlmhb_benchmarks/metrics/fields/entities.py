"""Entity-level F1 (SROIE, FUNSD): an entity is right if its label and its text are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vlmhb_benchmarks.metrics.base import MetricInfo
from vlmhb_benchmarks.metrics.fields.hits import Fields, f1, leaf_text
from vlmhb_benchmarks.metrics.fields.kie import KieScore
from vlmhb_benchmarks.metrics.json_answer import find_json
from vlmhb_benchmarks.metrics.text import collapse

_LABELS = ("label", "type", "entity", "class")
_TEXTS = ("text", "value", "transcription", "words")


@dataclass(frozen=True, kw_only=True)
class EntityScore(KieScore):
    """Micro F1 over (label, text). Parts: `Hits`; `by_field` is by label."""

    def read(self, text: str) -> Fields | None:
        value = find_json(text)
        return None if value is None else Counter(_entities(value))


def _entities(value: Any, *, label: str = "") -> Iterator[tuple[str, str]]:
    """From a list of `{label, text}`, or from `{label: text | [texts]}`; `{"entities": [...]}` is unwrapped."""
    if isinstance(value, dict):
        yield from _of_dict(value)
    elif isinstance(value, list):
        for item in value:
            yield from _entities(item, label=label)
    elif text := collapse(leaf_text(value)):
        yield label, text


def _of_dict(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    named = next((key for key in _LABELS if isinstance(value.get(key), str)), None)
    texts = next((key for key in _TEXTS if key in value), None)
    if named and texts:
        text = _joined(value[texts])
        if text:
            yield collapse(value[named]).casefold(), text
        return
    for key, child in value.items():
        name = "" if key in ("entities", "form") and isinstance(child, list) else collapse(key).casefold()
        yield from _entities(child, label=name)


def _joined(value: Any) -> str:
    """FUNSD gives an entity's words as a list of `{text, box}`."""
    parts = value if isinstance(value, list) else [value]
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return collapse(" ".join(leaf_text(text) for text in texts))


ENTITY_F1 = EntityScore(
    info=MetricInfo(
        name="entity_f1",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="entity F1, micro: label (in any case) and text (white space collapsed) both equal",
        source="SROIE 2019 task 3 (Huang et al. 2019, arXiv:2103.10213): exact match of key and value",
        empty_rule="no gold and no answered entity: 1; answer without JSON, or missing: all entities missed, 0",
        average="micro",
        deviations="no token positions: FUNSD's BIO F1 of sequence labelling needs the OCR words, a VLM gives texts",
    ),
    formula=f1,
)
