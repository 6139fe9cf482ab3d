"""Amounts of money as people write them in a cell: `5`, `0,50`, `5 USD`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vlmhb.errors import BadValue
from vlmhb.reading.names import shown

_AMOUNT = re.compile(r"(?:([A-Za-z]{3})\s*)?(\d+(?:[.,]\d+)?|[.,]\d+)(?:\s*([A-Za-z]{3}))?")
_HINT = "write 5 or 5 USD"


@dataclass(frozen=True, kw_only=True)
class Money:
    """`currency` None: that of the price table."""

    amount: float
    currency: str | None = None


def money_of(text: str, *, what: str, where: str) -> Money:
    """Raises `BadValue`. `what` names the value in the message."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or (match[1] and match[3]):
        raise BadValue(f"{what} {shown(text)} is not an amount of money", where=where, hint=_HINT)
    whole, _, part = match[2].replace(",", ".").partition(".")
    if "," in match[2] and len(part) == 3 and whole not in ("", "0"):
        hint = f"write {whole}{part}, or {whole}.{part}"
        raise BadValue(f"{what} {shown(text)} is not a clear amount", where=where, hint=hint)
    currency = match[1] or match[3]
    return Money(amount=float(match[2].replace(",", ".")), currency=currency.upper() if currency else None)
