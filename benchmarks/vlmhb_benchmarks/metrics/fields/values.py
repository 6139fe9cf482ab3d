"""One form for amounts and dates, so that `1 000,00 ₽` equals `1000.00` and `1.2.2020` equals `2020-02-01`."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from vlmhb_benchmarks.metrics.text import normalise

_CURRENCY = r"(?:[$€£¥₽₹]|us\$|rm|rp\.?|usd|eur|gbp|jpy|cny|rub|руб(?:\.|лей|ля|ль)?|р\.)"
_AMOUNT = re.compile(
    rf"(?P<before>{_CURRENCY})?\s*(?P<sign>[-+−]?)\s*(?P<digits>\d[\d\s.,']*)\s*"
    rf"(?P<percent>%)?\s*(?P<after>{_CURRENCY})?",
    re.ASCII,
)
_GROUPED = re.compile(r"[1-9]\d{0,2}(?P<separator>[ ,.'])\d{3}(?:(?P=separator)\d{3})*(?:[.,]\d+)?", re.ASCII)
_PLAIN = re.compile(r"(?:0|[1-9]\d*)(?:[.,]\d+)?", re.ASCII)
_ONE_GROUP = re.compile(r"[1-9]\d{0,2},\d{3}", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})[-./](\d{1,2})[-./](\d{4})", re.ASCII)


def normalise_value(text: str) -> str:
    """`text.normalise`, then one form for a value that is, as a whole, a date or an amount.

    Dates: day, month and year of digits become `YYYY-MM-DD`; `1/2/2020` is the first of February, unless only the
    other reading is a date. Amounts: currency signs and codes go, digit groups are joined, a decimal comma becomes
    a point, trailing zeros of the fraction go; a percent sign stays. A number with a leading zero (`0044`), digits
    that are not grouped by threes (`4505 679944`) and everything else stay text."""
    plain = normalise(text)
    return _date(plain) or _amount(plain) or plain


def _date(text: str) -> str | None:
    if match := _YEAR_FIRST.fullmatch(text):
        year, month, day = (int(part) for part in match.groups())
        return _iso(year, month=month, day=day)
    if match := _YEAR_LAST.fullmatch(text):
        first, second, year = (int(part) for part in match.groups())
        return _iso(year, month=second, day=first) or _iso(year, month=first, day=second)
    return None


def _iso(year: int, *, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _amount(text: str) -> str | None:
    match = _AMOUNT.fullmatch(text)
    if match is None:
        return None
    number = _number(match["digits"].strip())
    if number is None:
        return None
    sign = "-" if match["sign"] in ("-", "−") and number != "0" else ""
    return f"{sign}{number}{match['percent'] or ''}"


def _number(digits: str) -> str | None:
    """`1,234` has a group, `0,123` and `1.5` have a fraction; `1.234` is read as a fraction, as JSON writes it."""
    if _PLAIN.fullmatch(digits) and not _ONE_GROUP.fullmatch(digits):
        return _decimal(digits.replace(",", "."))
    grouped = _GROUPED.fullmatch(digits)
    if grouped is None:
        return None
    separator = grouped["separator"]
    whole = digits.replace(separator, "")
    return _decimal(whole.replace(",", "."))


def _decimal(text: str) -> str:
    """Without an exponent and without zeros at the end of the fraction."""
    plain = format(Decimal(text), "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
