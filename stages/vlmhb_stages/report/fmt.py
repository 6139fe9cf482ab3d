"""Numbers and texts as people read them; an unknown number is never shown as zero."""

from __future__ import annotations

import math
import re

from markupsafe import Markup, escape

from vlmhb_stages.report.model import Failure

UNKNOWN = "not measured"
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)} | {0x7F: "\u2421"}
# Terminals obey the first (C1 controls); the others show what follows in another order than it has.
_UNSEEN = (*range(0x80, 0x85), *range(0x86, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_NAMES = _PICTURES | {code: f"[U+{code:04X}]" for code in _UNSEEN}
_MARKDOWN = re.compile(r"([\\`*\[\]<>|~]|(?<!\w)_|_(?!\w))")


def metric(value: float | None) -> str:
    """Three decimals for shares, fewer for larger numbers."""
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def axis(value: float) -> str:
    """A tick: as few digits as it has."""
    return f"{value:.4g}"


def interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{metric(low)}–{metric(high)}"


def signed(value: float | None) -> str:
    """A difference, with a real minus sign."""
    if value is None:
        return "–"
    text = metric(abs(value))
    return text if float(text) == 0 else f"{'+' if value > 0 else chr(0x2212)}{text}"


def between(low: float | None, high: float | None) -> str:
    """An interval that may have negative ends."""
    return "" if low is None or high is None else f"{signed(low)} to {signed(high)}"


def probability(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def share(value: float | None) -> str:
    """Percent, rounded down: 99.96 % is not all."""
    if value is None:
        return "–"
    tenths = math.floor(value * 1000 + 1e-9)
    return f"{tenths // 10}\u00a0%" if tenths % 10 == 0 else f"{tenths / 10:.1f}\u00a0%"


def seconds(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    if value < 0.001:
        return f"{value * 1e6:.0f}\u00a0µs"
    if value < 1:
        return f"{value * 1e3:.3g}\u00a0ms" if value < 0.0995 else f"{value * 1e3:.0f}\u00a0ms"
    return f"{value:.2f}\u00a0s" if value < 100 else f"{value:.0f}\u00a0s"


def number(value: float | None, unit: str = "") -> str:
    if value is None:
        return UNKNOWN
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{digits}f}".replace(",", "\u202f")
    return f"{text}\u00a0{unit}" if unit else text


def money(value: float | None, currency: str | None = None) -> str:
    """Three significant digits and no fewer than cents; small amounts are never shown as nothing."""
    if value is None:
        return "not known"
    if value == 0 or abs(value) >= 100:
        text = f"{value:,.2f}".replace(",", "\u202f")
    else:
        digits = max(2, 2 - math.floor(math.log10(abs(value))))
        text = f"{value:.{min(digits, 9)}f}"
    return f"{text}\u00a0{currency}" if currency else text


def factor(value: float) -> str:
    """A part of something: 0.4 ×."""
    return f"{value:.2g}\u00a0×"


def count(value: int) -> str:
    return f"{value:,}".replace(",", "\u202f")


def plural(value: int, noun: str) -> str:
    return f"{count(value)} {noun}" if value == 1 else f"{count(value)} {noun}s"


def reason(failure: Failure) -> str:
    """The message without its code, which is shown apart."""
    return failure.message.removeprefix(f"{failure.code}:").strip()


def visible(text: str) -> str:
    """Control characters as their pictures, so that they can be seen and cannot harm the page."""
    return text.translate(_PICTURES)


def harmless(page: str) -> str:
    """A whole page in which no character changes how the rest of it is shown; such ones stand there by their number."""
    return page.translate(_NAMES)


def breakable(text: str) -> Markup:
    """A long name that may be broken after its slashes and underscores."""
    return Markup(re.sub(r"([/_])", r"\1<wbr>", str(escape(visible(text)))))


def plain(value: object) -> str:
    """A provenance value on one line."""
    if value is None or value == [] or value == "":
        return "–"
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {plain(item)}" for key, item in value.items())
    return visible(str(value))


def markdown(text: object) -> str:
    """Literal text for a Markdown line or table cell."""
    return _MARKDOWN.sub(r"\\\1", " ".join(visible(str(text)).split()))
