"""Finds the price table that a run names: a file, or a name in the workspace's own `prices/`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vlmhb.errors import BadPrices
from vlmhb.reading.names import name_hint

SUFFIXES = (".yaml", ".yml")


def find_prices(name: str, *, beside: Iterable[Path], workspace: Path, where: str) -> Path:
    """`beside`: folders that a path may be relative to, best first. Raises `BadPrices`."""
    folder = workspace / "prices"
    places = [base / name for base in beside]
    places += [folder / f"{name}{suffix}" for suffix in ("", *SUFFIXES)]
    found = next((path for path in places if path.is_file()), None)
    if found is not None:
        return found
    known = sorted(path.stem for path in folder.glob("*") if path.suffix in SUFFIXES)
    hint = name_hint(name, known) or f"give a file, or put the table into {folder}"
    raise BadPrices(f"there is no price table '{name}'", where=where, hint=hint)
