"""Builds the registry: packaged cards, plug-ins, vlm_base.csv, users' folders; a later card replaces one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import vlmhb
from vlmhb.contracts import BenchmarkCard, ImageCard, MetricCard
from vlmhb.errors import BadCard, ErrorList, VlmhbError
from vlmhb.modelcard import ModelCard

from .frameworks import framework_key
from .parse import Card, ParsedCards
from .registry import Registry
from .sources import image_cards, packaged_cards, plugin_cards, user_cards
from .upstream import read_vlm_base

IMAGES_ENV = "VLMHB_IMAGES"
_Key = tuple[type[Card], str, str]


def images_dir(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of image cards: `VLMHB_IMAGES`, else `images/` of the checkout that this code runs from."""
    given = environ.get(IMAGES_ENV)
    if given:
        return Path(given)
    beside = Path(vlmhb.__file__).resolve().parents[2] / "images"
    return beside if beside.is_dir() else None


def load_registry(*, user_dirs: Sequence[Path] = (), vlm_base: Path | None = None) -> Registry:
    """All cards in force. Raises `ErrorList` of `BadCard`, all at once."""
    images = images_dir()
    layers = [
        packaged_cards() + (image_cards(images) if images else []),
        plugin_cards(),
        [read_vlm_base(vlm_base)] if vlm_base else [],
        *(user_cards(folder) for folder in user_dirs),
    ]
    cards: dict[_Key, Card] = {}
    errors: list[VlmhbError] = []
    for layer in layers:
        errors += [error for parsed in layer for error in parsed.errors]
        cards |= _by_key(layer, errors=errors)
    if errors:
        raise ErrorList(errors)
    return _registry(cards.values())


def _by_key(layer: Sequence[ParsedCards], *, errors: list[VlmhbError]) -> dict[_Key, Card]:
    """The cards of one layer; the same name twice in it is an error."""
    found: dict[_Key, Card] = {}
    for card in (card for parsed in layer for card in parsed.cards):
        key = _key(card)
        if key in found:
            what = f"'{card.name}' is described twice"
            errors.append(BadCard(what, where=card.origin, hint=f"the other one is in {found[key].origin}"))
        found[key] = card
    return found


def _key(card: Card) -> _Key:
    if isinstance(card, ModelCard):
        return (ModelCard, framework_key(card.framework), card.name)
    if isinstance(card, BenchmarkCard):
        return (BenchmarkCard, card.task.casefold(), card.name)
    return (type(card), "", card.name)


def _registry(cards: Iterable[Card]) -> Registry:
    ordered = sorted(cards, key=lambda card: card.name.casefold())
    return Registry(
        models=tuple(card for card in ordered if isinstance(card, ModelCard)),
        benchmarks=tuple(card for card in ordered if isinstance(card, BenchmarkCard)),
        images=tuple(card for card in ordered if isinstance(card, ImageCard)),
        metrics=tuple(card for card in ordered if isinstance(card, MetricCard)),
    )
