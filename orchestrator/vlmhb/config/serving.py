"""How a row's model is asked: other places and models, limits, what may be changed when a request does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast, get_args

from vlmhb_stages.specs import Overflow, RateLimit, Slo

from vlmhb.contracts import BenchmarkCard, EvaluationRow
from vlmhb.errors import BadCard, BadValue, ErrorList, MissingValue
from vlmhb.modelcard import URL_INTERFACES, ModelCard
from vlmhb.reading.names import name_hint, shown

from .models import decoding_of
from .problems import Problems, Sources
from .quantities import rate_of, slo_of
from .urls import check_url

Mode = Literal["throughput", "benchmark"]


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The row's wishes over the card's. `fallbacks` are models behind URLs, in the order to ask them, with the row's
    wishes over each of their cards."""

    fallbacks: tuple[ModelCard, ...]
    overflow: tuple[Overflow, ...]
    max_image_side: int | None
    mode: Mode
    warmup: int
    slo: Slo
    rate: RateLimit


def find_serving(
    problems: Problems, *, model: ModelCard, benchmark: BenchmarkCard | None, sources: Sources
) -> Serving:
    """Raises `ErrorList` of `BadValue`, `UnknownName`, `MissingValue`, `BadCard`."""
    row = problems.row
    found = Problems(row=row, warnings=problems.warnings)
    fallbacks = found.attempt(lambda: _fallbacks(found, model=model, sources=sources)) or ()
    overflow = found.attempt(lambda: _overflow(row.overflow, where=found.where("overflow")))
    mode = found.attempt(lambda: _mode(found)) or "throughput"
    slo = found.attempt(lambda: slo_of(row.slo, where=found.where("slo"))) or Slo()
    rate = found.attempt(lambda: rate_of(row.rate_limit, where=found.where("rate_limit")))
    for card in (model, *fallbacks):
        found.attempt(partial(_check_urls, card))
    if model.fallback_urls and (row.base_url is not None or row.api_key is not None):
        what = "fallback_urls of the card are left out, because the row has a base_url or api_key of its own"
        problems.warnings.append(f"{row.place}: {what}")
    if found.errors:
        raise ErrorList(found.errors)
    return Serving(
        fallbacks=tuple(
            _with_row(card, row=row, benchmark=benchmark, overflow=overflow, rate=rate) for card in fallbacks
        ),
        overflow=model.overflow if overflow is None else overflow,
        max_image_side=row.max_image_side or model.max_image_side,
        mode=mode,
        warmup=model.warmup if row.warmup is None else row.warmup,
        slo=slo,
        rate=model.rate if rate is None else rate,
    )


def _fallbacks(problems: Problems, *, model: ModelCard, sources: Sources) -> tuple[ModelCard, ...]:
    names = problems.row.fallbacks or ()
    where = problems.where("fallbacks")
    cards = [_fallback(name, model=model, where=where, sources=sources) for name in names]
    if len({(card.framework, card.name) for card in cards}) < len(cards):
        raise BadValue("a model stands twice in fallbacks", where=where)
    if cards and (problems.row.only_evaluate_metrics or model.interface == "replay"):
        what = "no model is asked here, so fallbacks mean nothing"
        raise BadValue(what, where=where, hint="empty fallbacks, or let a model answer")
    return tuple(cards)


def _fallback(name: str, *, model: ModelCard, where: str, sources: Sources) -> ModelCard:
    card = sources.registry.find_model(name, None, where=where)
    if (card.framework, card.name) == (model.framework, model.name):
        hint = "further URLs of the same model: fallback_urls in its card"
        raise BadValue(f"model '{name}' cannot stand in for itself", where=where, hint=hint)
    if card.interface not in URL_INTERFACES:
        what = f"model '{name}' is not behind a URL, so it cannot stand in at once"
        hint = f"fallbacks are models of the interfaces {', '.join(URL_INTERFACES)}"
        raise BadValue(what, where=where, hint=hint)
    if card.base_url is None:
        what = f"model '{name}' needs the URL of its server"
        raise MissingValue(what, where=where, hint=f"write base_url in its card {card.origin}")
    return card


def _with_row(
    card: ModelCard,
    *,
    row: EvaluationRow,
    benchmark: BenchmarkCard | None,
    overflow: tuple[Overflow, ...] | None,
    rate: RateLimit | None,
) -> ModelCard:
    """A fallback is asked as its own card says, but for what the row says: that holds wherever it is asked."""
    wanted: dict[str, Any] = {
        "decoding": decoding_of(row, model=card, benchmark=benchmark) if benchmark is not None else None,
        "concurrency": row.concurrency,
        "max_image_side": row.max_image_side,
        "overflow": overflow,
        "rate": rate,
    }
    return card.model_copy(update={name: value for name, value in wanted.items() if value is not None})


def _check_urls(card: ModelCard) -> None:
    """Raises `BadCard`, `BadValue`, `SecretInConfig`: a URL goes into the spec, which anyone may read."""
    if card.fallback_urls and card.interface not in URL_INTERFACES:
        what = f"model '{card.name}' runs here: nobody can say that a URL is the same model"
        raise BadCard(what, where=card.origin, hint="name another model in the column fallbacks")
    if card.base_url is not None:
        check_url(card.base_url, what="base_url", where=card.origin)
    for url in card.fallback_urls:
        check_url(url, what="fallback_urls", where=card.origin)


def _overflow(names: Sequence[str] | None, *, where: str) -> tuple[Overflow, ...] | None:
    """None: the card decides. An empty list stays one: nothing may be changed."""
    if names is None:
        return None
    known = get_args(Overflow)
    for name in names:
        if name not in known:
            raise BadValue(f"{shown(name)} is no way out", where=where, hint=name_hint(name, known))
    return cast("tuple[Overflow, ...]", tuple(dict.fromkeys(names)))


def _mode(problems: Problems) -> Mode:
    row, known = problems.row, get_args(Mode)
    text = (row.mode or "throughput").casefold()
    if text not in known:
        where = problems.where("mode")
        raise BadValue(f"{shown(text)} is not a mode", where=where, hint=name_hint(text, known))
    if text == "benchmark" and (row.replicas or 1) > 1:
        what = "mode benchmark sends one request at a time, which several replicas would not"
        raise BadValue(what, where=problems.where("mode"), hint="empty mode or replicas")
    if text == "benchmark" and (row.concurrency or 1) > 1:
        problems.warn("mode benchmark sends one request at a time: concurrency is not used", column="mode")
    return cast("Mode", text)
