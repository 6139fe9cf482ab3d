"""Levenshtein distance in C++ (rapidfuzz), imported on first use so that listing metrics stays cheap."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@cache
def _function() -> Any:
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.distance


def levenshtein(first: Sequence[str], second: Sequence[str]) -> int:
    """Insertions, deletions and substitutions, each of cost 1, over characters or words."""
    return int(_function()(first, second))


def distances(first: Sequence[Sequence[str]], second: Sequence[Sequence[str]]) -> npt.NDArray[np.float64]:
    """`levenshtein` pair by pair, in one call and one thread."""
    import numpy as np
    from rapidfuzz.process import cpdist

    if not first:
        return np.zeros(0)
    return cpdist(first, second, scorer=_function(), workers=1, dtype=np.int64).astype(np.float64)


def similarity(first: str, second: str) -> float:
    """1 - distance / length of the longer one; two empty strings are equal: 1."""
    longest = max(len(first), len(second))
    return 1.0 - levenshtein(first, second) / longest if longest else 1.0
