"""Text normalisations that metrics name: each is written down here once and in docs/metrics-reference.md."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_DOUBLE_QUOTES = "«»„“”‟″〃＂"
_SINGLE_QUOTES = "‘’‚‛‹›′`´ʼ＇"
_QUOTES = str.maketrans(dict.fromkeys(_DOUBLE_QUOTES, '"') | dict.fromkeys(_SINGLE_QUOTES, "'"))
_ANY_QUOTE = re.compile(f"[{_DOUBLE_QUOTES}{_SINGLE_QUOTES}]")
TextRule = Callable[[str], str]


def collapse(text: str) -> str:
    """Runs of any white space (NBSP and line breaks too) become one blank; none at the ends."""
    return " ".join(text.split())


def lower_collapse(text: str) -> str:
    """The normalisation of the official DocVQA scorer: lower case, white space collapsed."""
    return " ".join(text.lower().split())


def normalise(text: str) -> str:
    """Unicode NFC, case folded, ё as е, one kind of each quote, white space collapsed.

    Case folding can leave decomposed characters behind, hence NFC on both sides of it."""
    if text.isascii():  # nothing to compose or to fold but case and the backtick
        return " ".join(text.lower().replace("`", "'").split())
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    composed = composed.replace("ё", "е")
    if _ANY_QUOTE.search(composed):  # a translation costs more than the rest together
        composed = composed.translate(_QUOTES)
    return collapse(composed)


def is_blank(text: str) -> bool:
    return not text.strip()
