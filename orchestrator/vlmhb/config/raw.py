"""What every file reader hands on: raw rows, run settings, errors and warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vlmhb.contracts import Place
from vlmhb.errors import UnknownColumn, VlmhbError
from vlmhb.reading.names import name_hint

from .columns import canonical_column, known_names
from .rows import RawRow


@dataclass(frozen=True, kw_only=True)
class RawConfig:
    """`settings`: engine, scheduler and prices as text, budget and alerts as data, where the file form has them."""

    rows: tuple[RawRow, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    errors: tuple[VlmhbError, ...] = ()


def unknown_column(name: str, *, place: Place) -> UnknownColumn:
    """The error for a header cell or key that means no column."""
    hint = name_hint(name.strip(), known_names())
    near = canonical_column(name.strip().rstrip("s"))  # plurals are the likeliest slip and often the farthest
    if near is not None and not hint:
        hint = f"did you mean '{near}'?"
    return UnknownColumn(f"unknown column '{name}'", where=str(place), hint=hint)
