"""Values of a card that look like secrets: they are written into artifacts as they stand, so that one line warns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from vlmhb.errors import NotInForce
from vlmhb.modelcard import ModelCard
from vlmhb.reading.names import looks_like_key
from vlmhb.reading.secretref import is_secret_reference

from .problems import Problems

_VARIABLE = re.compile(r"(?:^|_)(?:API)?(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)(?:_|$)", re.IGNORECASE)
# Of parameters, `pad_token` and `key` are words of models, not secrets.
_PARAMETER = re.compile(
    r"(?:^|_)(?:(?:api|access|auth|hf|secret|private)_?(?:key|token)|secret|password|passwd)$", re.IGNORECASE
)
_FLAGS = ("--api-key", "--hf-token", "--token", "--password")


def check_card_secrets(problems: Problems, *, card: ModelCard) -> None:
    """Warns once of all of them. Raises `NotInForce` for a reference where none is replaced."""
    env = card.server.env if card.server is not None else {}
    referring = [f"server.env.{name}" for name, value in env.items() if is_secret_reference(value)]
    referring += [
        f"params.{name}"
        for name, value in card.params.items()
        if isinstance(value, str) and is_secret_reference(value)
    ]
    if referring:
        what = f"{', '.join(referring)} of '{card.name}': secret:NAME is not replaced here"
        hint = "a model runs without network and needs no key; api_key is for models behind a URL"
        raise NotInForce(what, where=card.origin, hint=hint)
    literal = [*_variables(env), *_parameters(card.params), *_flags(card)]
    if literal:
        problems.warnings.append(
            f"{card.origin}: {', '.join(literal)} of '{card.name}' may be a secret, and is stored as it stands "
            "in plans and artifacts; a model that runs here has no network and needs no key"
        )


def _variables(env: Mapping[str, str]) -> Iterator[str]:
    for name, value in env.items():
        if (_VARIABLE.search(name) and not _is_number(value)) or looks_like_key(value):
            yield f"server.env.{name}"


def _parameters(params: Mapping[str, Any]) -> Iterator[str]:
    for name, value in params.items():
        if isinstance(value, str) and value and (_PARAMETER.search(name) or looks_like_key(value)):
            yield f"params.{name}"


def _flags(card: ModelCard) -> Iterator[str]:
    words = (*card.command, *(card.server.command if card.server is not None else ()))
    for word in words:
        flag, given, _ = word.partition("=")
        if (flag in _FLAGS and (given or word in words[:-1])) or looks_like_key(word):
            yield f"{flag if flag in _FLAGS else 'a word'} of the command"


def _is_number(text: str) -> bool:
    return not text or text.isdigit() or text.casefold() in ("true", "false")
