"""A table as the grid that GriTS compares: which cell covers each position, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vlmhb_benchmarks.metrics.tables.reading import find_table
from vlmhb_benchmarks.metrics.text import collapse

# Two grids of this size make 16 million rewards (128 MB); a page holds some hundred positions.
MAX_POSITIONS = 4_000
_MAX_COLSPAN = 1_000  # the limit of the HTML standard
_CELL_TAGS = ("td", "th")


@dataclass(frozen=True, kw_only=True)
class Span:
    """The cell's box seen from one position that it covers, in grid steps (Smock et al. 2022, section 3.2)."""

    left: int
    top: int
    right: int
    bottom: int


SINGLE = Span(left=0, top=0, right=1, bottom=1)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """`spans` and `texts` are by row, then column; a position that no cell covers is an empty single cell."""

    spans: tuple[tuple[Span, ...], ...]
    texts: tuple[tuple[str, ...], ...]

    @property
    def rows(self) -> int:
        return len(self.texts)

    @property
    def columns(self) -> int:
        return len(self.texts[0]) if self.texts else 0


@dataclass(frozen=True, kw_only=True)
class Cell:
    row: int
    column: int
    rowspan: int
    colspan: int
    text: str

    def positions(self) -> Iterator[tuple[int, int]]:
        for row in range(self.row, self.row + self.rowspan):
            for column in range(self.column, self.column + self.colspan):
                yield row, column

    def span_at(self, row: int, column: int) -> Span:
        left, top = self.column - column, self.row - row
        return Span(left=left, top=top, right=left + self.colspan, bottom=top + self.rowspan)


def read_grid(text: str) -> Grid | None:
    """The grid of the first table in `text`; None where there is none, or one that no real document has."""
    table = find_table(text)
    return None if table is None else grid_of(table)


def grid_of(table: Any) -> Grid | None:
    """The grid of a `table` element. A cell that would cover a taken position leaves it to the earlier cell."""
    owners: dict[tuple[int, int], Cell] = {}
    rows = list(_rows(table))
    for number, row in enumerate(rows):
        column = 0
        for element in row:
            while (number, column) in owners:
                column += 1
            cell = _cell(element, row=number, column=column, below=len(rows) - number)
            if len(owners) + cell.rowspan * cell.colspan > MAX_POSITIONS:
                return None
            for position in cell.positions():
                owners.setdefault(position, cell)
            column += cell.colspan
    width = 1 + max((column for _, column in owners), default=-1)
    return None if width * len(rows) > MAX_POSITIONS else _filled(owners, height=len(rows), width=width)


def _filled(owners: dict[tuple[int, int], Cell], *, height: int, width: int) -> Grid:
    spans, texts = [], []
    for row in range(height if width else 0):
        cells = [owners.get((row, column)) for column in range(width)]
        spans.append(
            tuple(cell.span_at(row, column) if cell else SINGLE for column, cell in enumerate(cells))
        )
        texts.append(tuple(cell.text if cell else "" for cell in cells))
    return Grid(spans=tuple(spans), texts=tuple(texts))


def _rows(table: Any) -> Iterator[list[Any]]:
    """The cells of each row that belongs to this table and not to one inside a cell."""
    for row in table.iterdescendants("tr"):
        if next(row.iterancestors("table")) is table:
            yield [cell for cell in row if cell.tag in _CELL_TAGS]


def _cell(element: Any, *, row: int, column: int, below: int) -> Cell:
    """A row span ends with the table, as in browsers."""
    return Cell(
        row=row,
        column=column,
        rowspan=min(_span(element.get("rowspan")), below),
        colspan=min(_span(element.get("colspan")), _MAX_COLSPAN),
        text=collapse("".join(element.itertext())),
    )


def _span(value: str | None) -> int:
    digits = (value or "").strip()
    return max(1, int(digits)) if digits.isdecimal() and len(digits) < 10 else 1
