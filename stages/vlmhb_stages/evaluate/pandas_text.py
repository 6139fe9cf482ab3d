"""What a CSV column of texts becomes in pandas 2.2 when nobody says otherwise: upstream's evaluator read so.

`NA` and the like become nan, columns of numbers lose leading zeros, one empty cell makes integers floats.
Only profile `upstream-0.1` uses this. Not reproduced: the last digit of pandas' own float parser, and types
that differ between the chunks of a very large file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

NA_TOKENS = frozenset(
    {
        *("", "<NA>", "N/A", "n/a", "NA", "#NA", "#N/A", "#N/A N/A", "None", "NULL", "null"),
        *("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    }
)
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*")
_FLOAT = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_INFINITY = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_INT64 = range(-(2**63), 2**63)
_UINT64 = range(2**64)
_ANY64 = range(-(2**63), 2**64)


@dataclass(frozen=True, kw_only=True)
class ReadColumn:
    """A column after reading: `text` as `astype(str)` gives it, `cells` as `to_csv` writes it back."""

    text: tuple[str, ...]
    cells: tuple[str, ...]


def read_column(cells: Sequence[str]) -> ReadColumn:
    values = _converted(cells)
    return ReadColumn(
        text=tuple("nan" if value is None else value for value in values),
        cells=tuple("" if value is None else value for value in values),
    )


def _converted(cells: Sequence[str]) -> list[str | None]:
    """The texts after type inference; None is NA."""
    present = [cell for cell in cells if cell not in NA_TOKENS]
    gaps = len(present) < len(cells)
    if present and all(_INTEGER.fullmatch(cell) for cell in present):
        return _integers(cells, gaps=gaps)
    if present and all(_is_float(cell) for cell in present):
        return [None if cell in NA_TOKENS else repr(float(cell)) for cell in cells]
    if present and all(cell.lower() in ("true", "false") for cell in present):
        return [None if cell in NA_TOKENS else cell.capitalize() for cell in cells]
    return [None if cell in NA_TOKENS else cell for cell in cells]


def _integers(cells: Sequence[str], *, gaps: bool) -> list[str | None]:
    """A gap turns 64-bit integers into floats; integers too large for that stay texts."""
    numbers = [None if cell in NA_TOKENS else int(cell) for cell in cells]
    present = [number for number in numbers if number is not None]
    if all(number in _INT64 for number in present):
        return [
            None if number is None else repr(float(number)) if gaps else str(number) for number in numbers
        ]
    if not gaps and all(number in _UINT64 for number in present):
        return [str(number) for number in numbers]
    return [None if cell in NA_TOKENS else cell for cell in cells]


def _is_float(cell: str) -> bool:
    if _INFINITY.fullmatch(cell):
        return True
    if _INTEGER.fullmatch(cell):
        return int(cell) in _ANY64
    return bool(_FLOAT.fullmatch(cell)) and math.isfinite(float(cell))
