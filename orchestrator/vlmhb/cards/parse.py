"""YAML documents to typed cards; every mistake of a file is found at once, with its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vlmhb.contracts import BenchmarkCard, ImageCard, MetricCard
from vlmhb.errors import BadCard, VlmhbError
from vlmhb.modelcard import ModelCard
from vlmhb.reading.names import name_hint
from vlmhb.reading.nodes import Node, SyntaxFault
from vlmhb.reading.secretref import is_secret_reference
from vlmhb.reading.text import read_text
from vlmhb.reading.yamlnodes import parse_yaml

from .frameworks import canonical_framework

Card = ModelCard | BenchmarkCard | ImageCard | MetricCard
CARD_TYPES: Mapping[str, type[Card]] = {
    "model": ModelCard,
    "benchmark": BenchmarkCard,
    "image": ImageCard,
    "metric": MetricCard,
}
# The first that a card has tells its kind: a model of the user's own has a class_path as well.
_TELLING_FIELD = {"interface": "model", "loader": "benchmark", "tag": "image", "class_path": "metric"}


@dataclass(frozen=True, kw_only=True)
class ParsedCards:
    cards: tuple[Card, ...]
    errors: tuple[VlmhbError, ...]


def parse_file(path: Path, *, kind: str | None) -> ParsedCards:
    """The cards of a YAML file, one per document. `kind` None: each document tells its kind by its fields."""
    try:
        documents = parse_yaml(read_text(path))
    except SyntaxFault as fault:
        row = f", row {fault.line}" if fault.line else ""
        return ParsedCards(cards=(), errors=(BadCard(fault.what, where=f"{path}{row}"),))
    except VlmhbError as error:
        return ParsedCards(cards=(), errors=(error,))
    return _parse_all(documents, kind=kind, file=str(path), origin=str(path.absolute()))


def parse_data(data: Sequence[Any], *, kind: str, place: str) -> ParsedCards:
    """Cards that code hands over as mappings; `place` stands in error messages and as their origin."""
    cards: list[Card] = []
    errors: list[VlmhbError] = []
    for item in data:
        parsed = _parse(item, kind=kind, node=None, file=place, origin=place)
        cards += parsed.cards
        errors += parsed.errors
    return ParsedCards(cards=tuple(cards), errors=tuple(errors))


def _parse_all(documents: Sequence[Node], *, kind: str | None, file: str, origin: str) -> ParsedCards:
    cards: list[Card] = []
    errors: list[VlmhbError] = []
    for node in documents:
        parsed = _parse(node.plain(), kind=kind, node=node, file=file, origin=origin)
        cards += parsed.cards
        errors += parsed.errors
    return ParsedCards(cards=tuple(cards), errors=tuple(errors))


def _parse(data: Any, *, kind: str | None, node: Node | None, file: str, origin: str) -> ParsedCards:
    where = _where(file, node=node, path=())
    if not isinstance(data, dict):
        return ParsedCards(cards=(), errors=(BadCard("a card is a mapping of fields", where=where),))
    told = str(data.get("kind") or kind or _told_kind(data))
    if told not in CARD_TYPES or (kind is not None and told != kind):
        what = "cannot tell what this card describes" + (f" (kind '{told}')" if told else "")
        hint = f"write kind: {kind}" if kind else "write kind: model, benchmark, metric or image"
        return ParsedCards(cards=(), errors=(BadCard(what, where=where, hint=hint),))
    fields = {name: value for name, value in data.items() if name != "kind"}
    try:
        card = CARD_TYPES[told].model_validate({**fields, "origin": origin})
    except ValidationError as error:
        errors = [_field_error(item, kind=told, file=file, node=node) for item in error.errors()]
        return ParsedCards(cards=(), errors=tuple(errors))
    if isinstance(card, ModelCard):
        if card.api_key is not None and not is_secret_reference(card.api_key):
            where = _where(file, node=node, path=("api_key",))
            secret = BadCard("field api_key holds a key itself", where=where, hint="write secret:NAME")
            return ParsedCards(cards=(), errors=(secret,))
        card = card.model_copy(update={"framework": canonical_framework(card.framework)})
    return ParsedCards(cards=(card,), errors=())


def _told_kind(data: Mapping[str, Any]) -> str:
    return next((kind for field, kind in _TELLING_FIELD.items() if field in data), "")


def _field_error(error: ErrorDetails, *, kind: str, file: str, node: Node | None) -> BadCard:
    path = error["loc"]
    where = _where(file, node=node, path=path)
    field = ".".join(str(step) for step in path)
    if error["type"] == "missing":
        return BadCard(f"the {kind} card has no field {field}", where=where)
    if error["type"] == "extra_forbidden":
        hint = name_hint(str(path[-1]), CARD_TYPES[kind].model_fields) if len(path) == 1 else ""
        return BadCard(f"a {kind} card knows no field {field}", where=where, hint=hint)
    return BadCard(f"field {field}: {error['msg'][0].lower()}{error['msg'][1:]}", where=where)


def _where(file: str, *, node: Node | None, path: Sequence[str | int]) -> str:
    return file if node is None else f"{file}, row {node.line_at(path)}"
