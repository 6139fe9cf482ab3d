"""Levenshtein distance in C++ (rapidfuzz), imported on first use so that listing metrics stays cheap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache


@cache
def distance_function() -> Callable[[Sequence[str], Sequence[str]], int]:
    """rapidfuzz's own function: a loop over many pairs calls it without a wrapper between."""
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.distance


def levenshtein(first: Sequence[str], second: Sequence[str]) -> int:
    """Insertions, deletions and substitutions, each of cost 1, over characters or words."""
    return distance_function()(first, second)


def similarity(first: str, second: str) -> float:
    """1 - distance / length of the longer one; two empty strings are equal: 1."""
    longest = max(len(first), len(second))
    return 1.0 - distance_function()(first, second) / longest if longest else 1.0
