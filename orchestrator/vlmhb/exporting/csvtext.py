"""Delimited text that gives every string back byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(
    rows: Iterable[Sequence[str]], *, delimiter: str, quote_all: bool = False, bom: bool = False
) -> bytes:
    """LF ends a row; a cell is quoted where it must be, a bare CR included, or always."""
    special = {delimiter, '"', "\r", "\n"}

    def cell(text: str) -> str:
        if not quote_all and special.isdisjoint(text):
            return text
        return '"' + text.replace('"', '""') + '"'

    lines = (delimiter.join(cell(text) for text in row) + "\n" for row in rows)
    return "".join(lines).encode("utf-8-sig" if bom else "utf-8")
