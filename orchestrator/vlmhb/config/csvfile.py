"""CSV run configs, of every generation of the prototype and our own, to raw rows."""

from __future__ import annotations

from pathlib import Path

from vlmhb.contracts import Place
from vlmhb.errors import BadValue, MissingValue, VlmhbError, WrongEncoding
from vlmhb.reading.table import Table, TableRow, read_table

from .columns import REQUIRED, canonical_column
from .raw import RawConfig, unknown_column
from .rows import Cell, RawRow


def read_csv_config(path: Path) -> RawConfig:
    """Raises `ConfigUnreadable` or `NoRows` when there is nothing to read at all."""
    table = read_table(path)
    header = Place(file=str(path), row=table.header_line)
    columns = {name: column for name in table.header if (column := canonical_column(name))}
    header_errors = _header_errors(table, columns=columns, place=header)
    if any(column not in columns.values() for column in REQUIRED):
        # what the rows look like does not matter then, except that their letters cannot be read
        encoding = [error for error in table.errors if isinstance(error, WrongEncoding)]
        return RawConfig(errors=tuple(encoding or header_errors))
    errors = [*table.errors, *header_errors]
    rows = [
        RawRow(
            place=Place(file=str(path), row=row.line),
            cells={
                column: Cell(value=row.cells[name], place=Place(file=str(path), row=row.line, column=name))
                for name, column in columns.items()
            },
        )
        for row in table.rows
        if not _means_more(row, columns=columns)
    ]
    return RawConfig(rows=tuple(rows), errors=tuple(errors))


def _header_errors(table: Table, *, columns: dict[str, str], place: Place) -> list[VlmhbError]:
    errors: list[VlmhbError] = [
        unknown_column(name, place=place) for name in dict.fromkeys(table.header) if name not in columns
    ]
    by_column: dict[str, str] = {}
    for name, column in columns.items():
        first = by_column.setdefault(column, name)
        if first != name:
            what = f"columns '{first}' and '{name}' mean the same"
            errors.append(BadValue(what, where=str(place), hint="keep one"))
    missing = [column for column in REQUIRED if column not in by_column]
    slips = len(table.header) > 1 and any(error.hint for error in errors)  # else it is no header at all
    if len(missing) == len(REQUIRED) and not slips:
        hint = "the first line must be the header: dataset;task;framework;model_name;..."
        return [MissingValue("no column of a run config", where=str(place), hint=hint)]
    return errors + [MissingValue(f"no column '{column}'", where=str(place)) for column in missing]


def _means_more(row: TableRow, *, columns: dict[str, str]) -> bool:
    """The row says something in a column that nobody understands: it must not run as if it did not."""
    return any(cell.strip() for name, cell in row.cells.items() if name not in columns)
