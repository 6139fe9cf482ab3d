"""Cuts a text into words of any script: what metrics over words, not characters, compare."""

from __future__ import annotations

import string
import unicodedata

from vlmhb_benchmarks.metrics.text import normalise

ARTICLES = frozenset({"a", "an", "the"})


class _Separators(dict[int, str]):
    """A translation table that fills itself: punctuation, symbols and control characters become blanks."""

    def __init__(self, *, instead: str) -> None:
        super().__init__()
        self._instead = instead

    def __missing__(self, code: int) -> str:
        char = chr(code)
        drop = char in string.punctuation or unicodedata.category(char)[0] in "PSC"
        self[code] = self._instead if drop and not char.isspace() else char
        return self[code]


_BLANKED, _DELETED = _Separators(instead=" "), _Separators(instead="")


def word_tokens(text: str) -> list[str]:
    """Runs of letters, digits and marks of the normalised text; everything else separates."""
    return normalise(text).translate(_BLANKED).split()


def squad_tokens(text: str) -> list[str]:
    """SQuAD's words: punctuation and symbols deleted (not blanked), English articles left out."""
    return [word for word in normalise(text).translate(_DELETED).split() if word not in ARTICLES]
