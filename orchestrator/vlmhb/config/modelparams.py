"""A row's `model_params` over those of its model's card: decoding options by their names, all others as parameters."""

from __future__ import annotations

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
    if text is None:
        return card
    given = json_object(text, where=where)
    decoding = {name: given.pop(name) for name in [*given] if name in Decoding.model_fields}
    unheard = sorted(set(given) - set(_OF_URLS)) if card.interface in URL_INTERFACES else []
    if unheard:
        known = ", ".join((*_OF_URLS, *Decoding.model_fields))
        what = f"'{card.name}' is behind a URL, where {', '.join(unheard)} is not sent"
        raise NotInForce(what, where=where, hint=f"known: {known}")
    try:
        chosen = Decoding.model_validate({**card.decoding.model_dump(), **decoding})
    except ValidationError as error:
        fault = error.errors()[0]
        name = ".".join(str(step) for step in fault["loc"])
        raise BadValue(f"{name}: {fault['msg'].lower()}", where=where) from None
    return card.model_copy(update={"params": {**card.params, **given}, "decoding": chosen})
