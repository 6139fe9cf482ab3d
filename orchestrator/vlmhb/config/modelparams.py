"""A row's `model_params` over those of its model's card: decoding options by their names, all others as parameters."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError
from vlmhb_stages.specs import Decoding

from vlmhb.errors import BadValue, NotInForce
from vlmhb.modelcard import URL_INTERFACES, ModelCard

from .asking import json_object
from .problems import Problems

_OF_URLS = ("model",)  # the name that the server knows the model by


def with_params(problems: Problems, *, card: ModelCard) -> ModelCard:
    """The card as the row wants it. Raises `BadValue`, `NotInForce` for what a server that is not ours never hears."""
    text, where = problems.row.model_params, problems.where("model_params")
    _check_heard(card.params, card=card, where=card.origin)
    if text is None:
        return card
    given = json_object(text, where=where)
    decoding = {name: given.pop(name) for name in [*given] if name in Decoding.model_fields}
    _check_heard(given, card=card, where=where)
    try:
        chosen = Decoding.model_validate({**card.decoding.model_dump(), **decoding})
    except ValidationError as error:
        fault = error.errors()[0]
        name = ".".join(str(step) for step in fault["loc"])
        raise BadValue(f"{name}: {fault['msg'].lower()}", where=where) from None
    return card.model_copy(update={"params": {**card.params, **given}, "decoding": chosen})


def _check_heard(params: Iterable[str], *, card: ModelCard, where: str) -> None:
    """Raises `NotInForce`: a parameter that nobody reads would look like another model all the same."""
    if card.interface in URL_INTERFACES:
        known: tuple[str, ...] = _OF_URLS
        place = "is behind a URL"
        hint = f"known: {', '.join((*_OF_URLS, *Decoding.model_fields))}"
    elif card.interface == "server":
        known, place = (), "is a server of its own"
        hint = "write it into server.command of the card; decoding options may stand here"
    else:
        return
    unheard = sorted(set(params) - set(known))
    if unheard:
        what = f"'{card.name}' {place}, where {', '.join(unheard)} is not sent"
        raise NotInForce(what, where=where, hint=hint)
