"""The further places of an evaluation, in the order to ask them: other URLs of its model, then other models. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from vlmhb_stages.specs import HttpBackend, Manner, Price, RateLimit, Target

from vlmhb.contracts import ResolvedEvaluation
from vlmhb.modelcard import ModelCard
from vlmhb.plan.fingerprint import url_model_identity
from vlmhb.plan.specs import API_KEY_FILE, dialect_of, is_adaptive, name_at_server
from vlmhb.store.hashing import sha256_json


def fallback_targets(evaluation: ResolvedEvaluation) -> tuple[Target, ...]:
    """None where the answers come from a file. A URL of the evaluation's own model has its key, price and manner."""
    if evaluation.answers_file is not None:
        return ()
    own = [
        _target(
            evaluation.model,
            url=url,
            name=urlsplit(url).netloc,
            key_file=API_KEY_FILE if evaluation.api_key else None,
            price=evaluation.price,
            rate=evaluation.rate,
        )
        for url in _own_urls(evaluation)
    ]
    prices = dict(enumerate(evaluation.fallback_prices, start=1))
    others = [
        _target(
            card,
            url=url,
            name=card.name,
            key_file=f"{API_KEY_FILE}_{number}" if card.api_key else None,
            price=prices.get(number),
            rate=card.rate,
            manner=_manner(card, mode=evaluation.mode),
        )
        for number, card in enumerate(evaluation.fallbacks, start=1)
        for url in _urls(card)
    ]
    return (*own, *others)


def fallback_places(evaluation: ResolvedEvaluation) -> tuple[str, ...]:
    """The same for people: `<model> at <host>`."""
    own = tuple(f"{evaluation.model.name} at {urlsplit(url).netloc}" for url in _own_urls(evaluation))
    others = (
        f"{card.name} at {urlsplit(url).netloc}" for card in evaluation.fallbacks for url in _urls(card)
    )
    return () if evaluation.answers_file is not None else (*own, *others)


def secret_references(evaluation: ResolvedEvaluation) -> dict[str, str]:
    """`secret:NAME` by the name of the file that the driver reads it from."""
    if evaluation.answers_file is not None:
        return {}
    name = API_KEY_FILE.rpartition("/")[2]
    found = {name: evaluation.api_key}
    found |= {f"{name}_{n}": card.api_key for n, card in enumerate(evaluation.fallbacks, start=1)}
    return {file: reference for file, reference in found.items() if reference is not None}


def _own_urls(evaluation: ResolvedEvaluation) -> tuple[str, ...]:
    """None where the row names a server or a key of its own: that key is not for the card's hosts."""
    row = evaluation.row
    return evaluation.model.fallback_urls if row.base_url is None and row.api_key is None else ()


def _urls(card: ModelCard) -> tuple[str, ...]:
    return (*((card.base_url,) if card.base_url else ()), *card.fallback_urls)


def _manner(card: ModelCard, *, mode: str) -> Manner:
    """`card` with the row's wishes over it."""
    return Manner(
        decoding=card.decoding,
        structured="structured" in card.capabilities,
        overflow=card.overflow,
        shrink_on_oom="images" in card.on_oom,
        max_image_side=card.max_image_side,
        concurrency=1 if mode == "benchmark" else card.concurrency,
        adaptive=is_adaptive(card),
        breaker=card.breaker,
        retry=card.retry,
    )


def _target(
    card: ModelCard,
    *,
    url: str,
    name: str,
    key_file: str | None,
    price: Price | None,
    rate: RateLimit,
    manner: Manner | None = None,
) -> Target:
    return Target(
        name=name,
        backend=HttpBackend(base_url=url, api_key_file=key_file, dialect=dialect_of(card)),
        model=name_at_server(card),
        model_identity=sha256_json(url_model_identity(card)),
        price=price,
        rate=rate,
        manner=manner,
    )
