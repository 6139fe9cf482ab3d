"""Text normalisations that metrics name: each is written down here once and in docs/metrics.md."""

from __future__ import annotations

import unicodedata

_DOUBLE_QUOTES = "«»„“”‟″〃＂"
_SINGLE_QUOTES = "‘’‚‛‹›′`´ʼ＇"
_FOLDED = str.maketrans(
    {"ё": "е"} | dict.fromkeys(_DOUBLE_QUOTES, '"') | dict.fromkeys(_SINGLE_QUOTES, "'"),
)


def collapse(text: str) -> str:
    """Runs of any white space (NBSP and line breaks too) become one blank; none at the ends."""
    return " ".join(text.split())


def lower_collapse(text: str) -> str:
    """The normalisation of the official DocVQA scorer: lower case, white space collapsed."""
    return collapse(text.lower())


def normalise(text: str) -> str:
    """Unicode NFC, case folded, ё as е, one kind of each quote, white space collapsed.

    Case folding can leave decomposed characters behind, hence NFC on both sides of it."""
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return collapse(composed.translate(_FOLDED))


def is_blank(text: str) -> bool:
    return not text.strip()
