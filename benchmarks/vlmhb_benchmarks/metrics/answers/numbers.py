"""Reads a quantity as people write it: sign, thousands separators, decimal comma, currency, percent."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_MAX_CHARS = 64  # no quantity is longer; a page of digits is a text
_YEARS = range(1500, 2101)
_CURRENCIES = {
    "$": "usd", "usd": "usd", "us$": "usd", "dollar": "usd", "dollars": "usd",
    "€": "eur", "eur": "eur", "euro": "eur", "euros": "eur",
    "£": "gbp", "gbp": "gbp", "¥": "jpy", "jpy": "jpy", "元": "cny", "cny": "cny", "rmb": "cny",
    "₽": "rub", "rub": "rub", "руб": "rub", "руб.": "rub", "р.": "rub", "рублей": "rub", "₴": "uah", "₸": "kzt",
    "₹": "inr", "rs": "inr", "rs.": "inr", "inr": "inr", "₩": "krw", "chf": "chf",
}  # fmt: skip
_PERCENT = frozenset({"%", "percent", "per cent", "процент", "процента", "процентов"})
_SHAPE = re.compile(r"([^\d.,+-]*)([+-]?)([^\d.,+-]*)([\d.,' ]*\d|\d[\d.,' ]*)([^\d]*)")
_GROUPS = re.compile(r"\d{1,3}(?:([ ,.'])\d{3})(?:\1\d{3})*")
_PLAIN = re.compile(r"\d*[.,]?\d+|\d+[.,]")


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """`value` as written: `5%` is 5 with `percent`."""

    value: float
    percent: bool = False
    currency: str | None = None
    is_year: bool = False

    @property
    def fraction(self) -> float:
        return self.value / 100 if self.percent else self.value


def parse_quantity(text: str) -> Quantity | None:
    """None where `text` is anything but one quantity. A full stop at the end is forgiven."""
    plain = " ".join(
        unicodedata.normalize("NFKC", text).casefold().replace("−", "-").replace("’", "'").split()
    )
    if len(plain) > _MAX_CHARS:
        return None
    found = _SHAPE.fullmatch(plain.removesuffix(".") or plain)
    if found is None:
        return None
    before, sign, between, digits, after = (group.strip() for group in found.groups())
    number = _number(digits)
    units = _units(before or between, after, both=bool(before and between))
    if number is None or units is None:
        return None
    value = -number if sign == "-" else number
    bare = not (units.percent or units.currency or sign)
    year = bare and re.fullmatch(r"\d{4}", digits) is not None and int(digits) in _YEARS
    return Quantity(value=value, percent=units.percent, currency=units.currency, is_year=year)


@dataclass(frozen=True, kw_only=True)
class _Units:
    percent: bool
    currency: str | None


def _units(before: str, after: str, *, both: bool) -> _Units | None:
    """What stands around the digits; None where it is no unit known here."""
    after = after if after in _CURRENCIES or after in _PERCENT else after.rstrip(".")
    if both or (before and after):
        return None
    if after in _PERCENT:
        return _Units(percent=True, currency=None)
    unit = before or after
    if unit and unit not in _CURRENCIES:
        return None
    return _Units(percent=False, currency=_CURRENCIES.get(unit))


def _number(digits: str) -> float | None:
    """`1,234` and `1 234` are thousands, `1,5` and `1.234,5` have a decimal comma, `1.234` is a fraction."""
    if _PLAIN.fullmatch(digits) and not re.fullmatch(r"[1-9]\d{0,2},\d{3}", digits):
        return float(digits.replace(",", "."))
    whole, point, fraction = _split(digits)
    if point and not fraction.isdigit():
        return None
    if not (whole.isdigit() or _GROUPS.fullmatch(whole)):
        return None
    return float(re.sub(r"\D", "", whole) + ("." + fraction if point else ""))


def _split(digits: str) -> tuple[str, str, str]:
    """Whole part, decimal sign, fraction: the last sign is decimal if it comes once and after another kind."""
    for sign, other in (".", ","), (",", "."):
        grouped = other in digits or " " in digits or "'" in digits
        if digits.count(sign) == 1 and grouped and digits.rfind(sign) > digits.rfind(other):
            whole, point, fraction = digits.rpartition(sign)
            if " " not in fraction and "'" not in fraction:
                return whole, point, fraction
    return digits, "", ""
