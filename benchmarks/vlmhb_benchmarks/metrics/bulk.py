"""Lower-cases and collapses thousands of short texts at once: their characters in one array, by table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from vlmhb_benchmarks.metrics.text import lower_collapse

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Codes = npt.NDArray[np.uint16]

_FEW = 256  # texts for which an array is not worth while
_BETWEEN = "\0"
_BLANK = ord(" ")
_EXOTIC = 0xFFFF  # no character: stands for those that the table cannot do


def lower_collapse_all(texts: Sequence[str]) -> list[str]:
    """`lower_collapse` of each text, with equal results and three times as fast on many short ones."""
    found = _by_table(texts) if len(texts) >= _FEW else None
    return list(map(lower_collapse, texts)) if found is None else found


def _by_table(texts: Sequence[str]) -> list[str] | None:
    """None where a text has a character whose lower case is not one character, whatever stands around it."""
    import numpy as np

    joined = f"{_BETWEEN}{_BETWEEN.join(texts)}{_BETWEEN}"
    if joined.isascii():
        small = joined.lower()
        plain = np.frombuffer(small.encode("ascii"), dtype=np.uint8)
        if np.count_nonzero(plain < _BLANK) == len(texts) + 1 and _is_collapsed(plain):
            return small[1:-1].split(_BETWEEN)
    try:
        codes = np.frombuffer(joined.encode("utf-16-le"), dtype=np.uint16)
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    if np.count_nonzero(codes == 0) != len(texts) + 1:
        return None
    lower = _table()[codes]
    if (lower == _EXOTIC).any():
        return None
    return _collapsed(lower)[1:-1].tobytes().decode("utf-16-le").split(_BETWEEN)


def _is_collapsed(codes: npt.NDArray[np.uint8] | Codes) -> bool:
    edge = (codes == _BLANK) | (codes == 0)
    return not (edge[1:] & edge[:-1]).any()


def _collapsed(codes: Codes) -> Codes:
    """One blank between words, none beside the ends of a text (zeros). Most texts are so already."""
    import numpy as np

    if _is_collapsed(codes):
        return codes
    blank = codes == _BLANK
    edge = blank | (codes == 0)
    keep = np.ones(len(codes), dtype=bool)
    keep[1:] = ~(blank[1:] & edge[:-1])  # blanks after a blank or an end
    codes = codes[keep]
    keep = np.ones(len(codes), dtype=bool)
    keep[:-1] = ~((codes[:-1] == _BLANK) & (codes[1:] == 0))  # the one that is left before an end
    return codes[keep]


@cache
def _table() -> Codes:
    """The lower case of every 16-bit code, white space as a blank. Python's own rules, asked one by one."""
    import numpy as np

    return np.array([_lower(code) for code in range(2**16)], dtype=np.uint16)


def _lower(code: int) -> int:
    """Sigma depends on its place in the word; surrogates are halves of characters beyond 16 bits."""
    char = chr(code)
    lower = char.lower()
    if char == "Σ" or len(lower) != 1 or 0xD800 <= code <= 0xDFFF or ord(lower) >= _EXOTIC:
        return _EXOTIC
    return _BLANK if char.isspace() else ord(lower)
