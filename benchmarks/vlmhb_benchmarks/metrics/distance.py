"""Levenshtein distance in C++ (rapidfuzz), imported on first use so that listing metrics stays cheap."""

from __future__ import annotations

from collections.abc import Sequence


def levenshtein(first: Sequence[str], second: Sequence[str]) -> int:
    """Insertions, deletions and substitutions, each of cost 1, over characters or words."""
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.distance(first, second)


def similarity(first: str, second: str) -> float:
    """1 - distance / length of the longer one; two empty strings are equal: 1."""
    longest = max(len(first), len(second))
    return 1.0 - levenshtein(first, second) / longest if longest else 1.0
