"""What a CSV column of texts becomes in pandas 2.2 when nobody says otherwise: upstream's evaluator read so.

`NA` and the like become nan, columns of numbers lose leading zeros, one empty cell makes integers floats.
Only profile `upstream-0.1` uses this. Not reproduced: types that differ between the chunks of a very large file,
floats with more than 17 digits before the point or below 1e-308.
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
_FLOAT = re.compile(
    r"\s*(?P<sign>[+-]?)(?P<whole>[0-9]*)\.?(?P<fraction>(?<=\.)[0-9]*|)(?:[eE](?P<exponent>[+-]?[0-9]+))?\s*"
)
_INFINITY = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_MAX_DIGITS = 17
_MAX_EXPONENT = 308
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
        return [None if cell in NA_TOKENS else repr(_float(cell)) for cell in cells]
    if present and all(cell.lower() in ("true", "false") for cell in present):
        return [None if cell in NA_TOKENS else cell.capitalize() for cell in cells]
    return [None if cell in NA_TOKENS else cell for cell in cells]


def _integers(cells: Sequence[str], *, gaps: bool) -> list[str | None]:
    """A gap turns signed 64-bit integers into floats; larger ones make the column text, gaps and all."""
    present = [int(cell) for cell in cells if cell not in NA_TOKENS]
    if gaps and all(number in _INT64 for number in present):
        return [None if cell in NA_TOKENS else repr(_float(cell)) for cell in cells]
    if not gaps and any(all(number in kind for number in present) for kind in (_INT64, _UINT64)):
        return [str(number) for number in present]
    if all(number in _ANY64 for number in present):
        return list(cells)
    return [None if cell in NA_TOKENS else cell for cell in cells]


def _is_float(cell: str) -> bool:
    if _INFINITY.fullmatch(cell):
        return True
    if _INTEGER.fullmatch(cell):
        return int(cell) in _ANY64
    found = _FLOAT.fullmatch(cell)
    return bool(found and found["whole"] + found["fraction"]) and math.isfinite(_float(cell))


def _float(cell: str) -> float:
    """pandas' parser: 17 digits at most (leading zeros count), one power of ten; not always the nearest float."""
    found = _FLOAT.fullmatch(cell)
    if found is None:
        return float(cell)  # an infinity
    whole, fraction = found["whole"], found["fraction"]
    number = 0.0
    for digit in (whole + fraction)[:_MAX_DIGITS]:
        number = number * 10.0 + int(digit)
    exponent = int(found["exponent"] or 0) + max(0, len(whole) - _MAX_DIGITS)
    exponent -= min(len(fraction), max(0, _MAX_DIGITS - len(whole)))
    return -_scaled(number, exponent) if found["sign"] == "-" else _scaled(number, exponent)


def _scaled(number: float, exponent: int) -> float:
    if exponent > _MAX_EXPONENT:
        return math.inf
    if exponent >= 0:
        return number * float(f"1e{exponent}")
    if exponent >= -_MAX_EXPONENT:
        return number / float(f"1e{-exponent}")
    return 0.0
