"""Tables of a page as grids of cells that know their neighbours and their headings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Side = Literal["up", "down", "left", "right"]
_MAX_SPAN = 1_000
MAX_CHARS = 400_000


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell as written: its place follows from the cells before it."""

    text: str
    rowspan: int = 1
    colspan: int = 1
    is_heading: bool = False


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A cell in the grid, from its top left place on. Spans are those that the grid has room for."""

    cell: Cell
    row: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Grid:
    """`places[row][column]` is an index into `cells`, None where the table has a hole."""

    cells: tuple[Placed, ...]
    places: tuple[tuple[int | None, ...], ...]

    def beside(self, index: int, side: Side) -> set[int]:
        """The nearest other cell in that direction, for each row or column that the cell takes."""
        return {
            found for line in self._lines(index, side) if (found := self._first(line, but=index)) is not None
        }

    def headings(self, index: int, side: Side) -> set[int]:
        """Heading cells on the way to the edge; where there are none, the cells at the edge."""
        marked: set[int] = set()
        edge: set[int] = set()
        seen: set[int] = set()
        waiting = {index}
        while waiting:
            here = waiting.pop()
            seen.add(here)
            if self.cells[here].cell.is_heading:
                marked.add(here)
            following = self.beside(here, side)
            if not following:
                edge.add(here)
            waiting |= following - seen
        return (marked - {index}) or (edge - {index})

    def _lines(self, index: int, side: Side) -> Iterator[Sequence[int | None]]:
        placed = self.cells[index]
        rows = range(placed.row, min(placed.row + placed.cell.rowspan, len(self.places)))
        columns = range(placed.column, placed.column + placed.cell.colspan)
        if side in ("left", "right"):
            for row in rows:
                line = self.places[row]
                yield line[columns.stop :] if side == "right" else line[: columns.start][::-1]
        else:
            for column in columns:
                line = tuple(row[column] for row in self.places)
                yield line[rows.stop :] if side == "down" else line[: rows.start][::-1]

    def _first(self, line: Sequence[int | None], *, but: int) -> int | None:
        return next((found for found in line if found is not None and found != but), None)


def grids_of(text: str, *, markdown: bool = True) -> list[Grid]:
    """All tables of a page, Markdown's first."""
    tables = [*(_markdown_tables(text) if markdown else ()), *_html_tables(text)]
    return [grid for rows in tables if (grid := _grid(rows)) is not None]


def _grid(rows: Sequence[Sequence[Cell]]) -> Grid | None:
    """Places cells from left to right, where no cell from above reaches down. None for a table without a cell."""
    cells: list[Placed] = []
    taken: dict[tuple[int, int], int] = {}
    for number, row in enumerate(rows):
        column = 0
        for cell in row:
            while (number, column) in taken:
                column += 1
            for down in range(cell.rowspan):
                taken.update({(number + down, column + right): len(cells) for right in range(cell.colspan)})
            cells.append(Placed(cell=cell, row=number, column=column))
            column += cell.colspan
    if not cells:
        return None
    height = max(row for row, _ in taken) + 1
    width = max(column for _, column in taken) + 1
    places = tuple(tuple(taken.get((row, column)) for column in range(width)) for row in range(height))
    return Grid(cells=tuple(cells), places=places)


def _markdown_tables(text: str) -> Iterator[list[list[Cell]]]:
    """Runs of at least two lines with a pipe; the first row and the first column are headings."""
    run: list[str] = []
    for line in (*text.strip().split("\n"), ""):
        if "|" in line:
            run.append(line)
            continue
        if len(run) > 1:
            yield _markdown_rows(run)
        run = []


def _markdown_rows(lines: Sequence[str]) -> list[list[Cell]]:
    rows = [cells for line in lines if not _is_ruler(line) and (cells := _split(line))]
    return [
        [Cell(text=text, is_heading=row == 0 or column == 0) for column, text in enumerate(cells)]
        for row, cells in enumerate(rows)
    ]


def _is_ruler(line: str) -> bool:
    return all(char in "- :|" for char in line.strip())


def _split(line: str) -> list[str]:
    cells = [cell.strip() for cell in line.split("|")]
    cells = cells[1:] if cells and not cells[0] else cells
    return cells[:-1] if cells and not cells[-1] else cells


def _html_tables(text: str) -> Iterator[list[list[Cell]]]:
    """`th` and cells in `thead` are headings. Rows of a table inside a table are rows of both."""
    from lxml import etree

    if "<table" not in text.lower() or len(text) > MAX_CHARS:
        return
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    root = etree.fromstring(text.encode("utf-8", errors="replace"), parser)
    for table in root.iter("table"):
        rows = list(table.iter("tr"))
        yield [_html_row(row, below=len(rows) - number) for number, row in enumerate(rows)]


def _html_row(row: Any, *, below: int) -> list[Cell]:
    in_head = next(row.iterancestors("thead"), None) is not None
    return [
        Cell(
            text=_text(cell),
            rowspan=below if (cell.get("rowspan") or "").strip() == "0" else _span(cell.get("rowspan")),
            colspan=_span(cell.get("colspan")),
            is_heading=in_head or cell.tag == "th",
        )
        for cell in row
        if cell.tag in ("td", "th")
    ]


def _text(cell: Any) -> str:
    """A line break in a cell is one in its text."""
    return "".join(_pieces(cell)).strip()


def _pieces(node: Any) -> Iterator[str]:
    yield "\n" if node.tag == "br" else node.text or ""
    for child in node:
        yield from _pieces(child)
        yield child.tail or ""


def _span(value: str | None) -> int:
    try:
        span = int(value or 1)
    except ValueError:
        return 1
    return min(max(span, 1), _MAX_SPAN)
