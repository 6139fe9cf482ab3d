"""The references that an annotated form (FUNSD, XFUND) gives: its text, its entities, its question-answer pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlmhb_benchmarks.loaders.base import BadRow
from vlmhb_benchmarks.loaders.boxes import Box, box_of, in_reading_order
from vlmhb_benchmarks.loaders.exactjson import dumps_exact
from vlmhb_benchmarks.loaders.values import fields_json

ENTITY_LABELS = ("header", "question", "answer")  # what FUNSD scores; `other` is the rest of the page
TARGETS = ("text", "entities", "kie")
BOX_NUMBERS = 4


@dataclass(frozen=True, kw_only=True)
class FormTarget:
    """What of a form is asked for: one of `TARGETS`; `labels` of the entities that count."""

    name: str
    labels: tuple[str, ...] = ENTITY_LABELS


@dataclass(frozen=True, kw_only=True)
class Entity:
    id: int
    label: str
    text: str
    words: tuple[Box, ...]
    links: tuple[tuple[int, int], ...]


def reference_of(form: Any, *, target: FormTarget) -> str:
    """`form`: the list of annotated entities. Raises `BadRow`."""
    if not isinstance(form, list):
        raise BadRow("no list of entities")
    entities = [_entity(item, number=number) for number, item in enumerate(form)]
    if target.name == "entities":
        chosen = [entity for entity in entities if entity.label in target.labels and entity.text.strip()]
        return dumps_exact([{"label": entity.label, "text": entity.text} for entity in chosen])
    if target.name == "kie":
        return fields_json(_pairs(entities))
    return "\n".join(in_reading_order([word for entity in entities for word in entity.words]))


def _entity(item: Any, *, number: int) -> Entity:
    try:
        words = item.get("words") or [item]
        return Entity(
            id=int(item["id"]),
            label=str(item["label"]),
            text=_text(item),
            words=tuple(_word(word) for word in words if _text(word).strip()),
            links=tuple((int(one), int(two)) for one, two in item.get("linking", [])),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadRow(f"entity {number} is not id, label, text, box, words, linking ({error})") from error


def _text(item: Mapping[str, Any]) -> str:
    text = item["text"]
    if not isinstance(text, str):
        raise TypeError("text is no text")
    return text


def _word(word: Mapping[str, Any]) -> Box:
    left, top, right, bottom = (float(number) for number in word["box"][:BOX_NUMBERS])
    return box_of(_text(word), (left, top, right, top, right, bottom, left, bottom))


def _pairs(entities: Sequence[Entity]) -> dict[str, list[str]]:
    """Question -> the texts linked to it, joined by a space in the order of the file; "" where nothing is.

    A question that stands several times on the page has several."""
    known = {entity.id: entity for entity in entities}
    found: dict[str, list[str]] = {}
    for question in (entity for entity in entities if entity.label == "question"):
        ends = {end for entity in entities for pair in entity.links if question.id in pair for end in pair}
        answers = [known[end] for end in sorted(ends - {question.id}) if end in known]
        text = " ".join(answer.text for answer in answers if answer.label == "answer")
        found.setdefault(question.text, []).append(text)
    return found
