"""Limits as people write them in one cell: `60 requests, 100k tokens`, `ttft=0.5, latency=10 s`."""

from __future__ import annotations

import re

from vlmhb_stages.specs import RateLimit, Slo

from vlmhb.errors import BadValue
from vlmhb.reading.names import name_hint, shown

_RATE = re.compile(
    r"(\d+(?:\.\d+)?)\s*([km]?)\s*([a-z]+)\s*(?:/\s*(?:min|minute|m)|per minute|a minute)?", re.I
)
_RATE_UNITS = {
    "requests_per_minute": ("request", "requests", "req", "rpm"),
    "tokens_per_minute": ("token", "tokens", "tok", "tpm"),
}
_RATE_HINT = "write 60 requests, 100000 tokens or 60 rpm, 100k tpm"
_TIME = re.compile(r"([a-z]+)(?:_s)?\s*[=:<]=?\s*(\d+(?:\.\d+)?)\s*(ms|s)?", re.I)
_SLO_HINT = "write ttft=0.5, tpot=0.05, latency=10 (seconds)"


def rate_of(text: str | None, *, where: str) -> RateLimit | None:
    """None where nothing is written. Raises `BadValue`."""
    if text is None:
        return None
    found: dict[str, float] = {}
    for part in _parts(text):
        match = _RATE.fullmatch(part)
        fields = (name for name, units in _RATE_UNITS.items() if match and match[3].casefold() in units)
        field = next(fields, None)
        if match is None or field is None:
            raise BadValue(f"{shown(part)} is not a rate limit", where=where, hint=_RATE_HINT)
        amount = float(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[match[2].casefold()]
        _put(found, field, amount, part=part, where=where)
    return RateLimit(**found)


def slo_of(text: str | None, *, where: str) -> Slo | None:
    """None where nothing is written. Raises `BadValue`."""
    if text is None:
        return None
    found: dict[str, float] = {}
    known = [name.removesuffix("_s") for name in Slo.model_fields]
    for part in _parts(text):
        match = _TIME.fullmatch(part)
        if match is None:
            raise BadValue(f"{shown(part)} is not a limit", where=where, hint=_SLO_HINT)
        name = match[1].casefold()
        if name not in known:
            raise BadValue(f"no limit is called {shown(name)}", where=where, hint=name_hint(name, known))
        seconds = float(match[2]) / (1000 if (match[3] or "").casefold() == "ms" else 1)
        _put(found, f"{name}_s", seconds, part=part, where=where)
    return Slo(**found)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[,;]", text) if part.strip()]


def _put(found: dict[str, float], field: str, amount: float, *, part: str, where: str) -> None:
    if amount <= 0:
        raise BadValue(f"{shown(part)} lets nothing pass", where=where, hint="empty the cell for no limit")
    if field in found:
        raise BadValue(f"{shown(part)} says a second time what stands there already", where=where)
    found[field] = amount
