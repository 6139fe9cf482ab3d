"""Writes exported files: all or none, and none over files that are there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from vlmhb.errors import ExportRefused
from vlmhb.naming import usable
from vlmhb.store.files import write_atomic


@dataclass(frozen=True, kw_only=True)
class File:
    """`name` is relative, with `/`."""

    name: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Export:
    """`notes`: what the format cannot say, for the user."""

    files: tuple[File, ...]
    notes: tuple[str, ...] = ()


def write(export: Export, folder: Path, *, force: bool) -> list[Path]:
    """The written paths. Raises `ExportRefused` before anything is written."""
    twice = [name for name, count in Counter(file.name for file in export.files).items() if count > 1]
    if twice:
        raise ExportRefused(
            f"two evaluations give the same file {twice[0]}",
            hint="name the evaluation to export one at a time",
        )
    targets = [folder / file.name for file in export.files]
    there = [str(path) for path in targets if path.exists()]
    if there and not force:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise ExportRefused(f"{there[0]}{more} would be overwritten", hint="another --out, or --force")
    for path, file in zip(targets, export.files, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, file.data)
    return targets


def file_name(text: str) -> str:
    """A part of a name that no system takes for a folder or refuses."""
    safe = "".join("-" if char in '/\\:*?"<>|' or not char.isprintable() else char for char in text)
    return usable(safe.strip(". ").lstrip("-")) or "unnamed"
