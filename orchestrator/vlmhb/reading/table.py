"""CSV files as people save them, with the line number of every record and all faults at once."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vlmhb.errors import BadValue, NoRows, VlmhbError, WrongEncoding

from .text import UTF8_HINT, decode, encoding_guess, is_broken, read_bytes

MAX_COLUMNS = 2000
_DELIMITERS = (";", ",", "\t")
_SAID_DELIMITER = re.compile(r'"?sep=([;,\t])"?\r?(\n|$)')  # Excel's own first line


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """`line` is where the record starts in the file, from 1; cells are as written, by header."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Table:
    header: tuple[str, ...]
    header_line: int
    rows: tuple[TableRow, ...]
    errors: tuple[VlmhbError, ...]


@dataclass(frozen=True, kw_only=True)
class _Record:
    line: int
    cells: list[str]


def read_table(path: Path) -> Table:
    """Rows that can be read, and an error for each that cannot.

    Raises `ConfigUnreadable` when there is no file, `NoRows` or `BadValue` when there is no header."""
    data = read_bytes(path)
    text = decode(data)
    records: list[_Record] = []
    errors: list[VlmhbError] = []
    for item in _records(text, file=str(path)):
        if isinstance(item, _Record):
            records.append(item)
        else:
            errors.append(item)
    if not records:
        raise errors[0] if errors else NoRows("the file is empty", where=str(path))
    head, *body = records
    if len(head.cells) > MAX_COLUMNS:
        what = f"the header has {len(head.cells)} columns, more than {MAX_COLUMNS}"
        raise BadValue(what, where=f"{path}, row {head.line}")
    names = tuple(cell.strip() for cell in head.cells)
    errors += _header_errors(names, where=f"{path}, row {head.line}")
    broken = _broken(names, [head, *body])
    if broken:
        errors.append(_wrong_encoding(broken, file=str(path), guess=encoding_guess(data)))
    rows = []
    for record in body:
        if any(fault.line == record.line for fault in broken):
            continue
        shape = _shape_error(record, width=len(names), file=str(path))
        if shape is not None:
            errors.append(shape)
            continue
        rows.append(TableRow(line=record.line, cells=dict(zip(names, record.cells, strict=False))))
    header = tuple(name for name in names if name)
    return Table(header=header, header_line=head.line, rows=tuple(rows), errors=tuple(errors))


def _records(text: str, *, file: str) -> Iterator[_Record | VlmhbError]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    if _SAID_DELIMITER.match(text):
        next(reader)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _syntax_error(str(error), where=f"{file}, row {line}")
            continue
        if any(cell.strip() for cell in cells):
            yield _Record(line=line, cells=cells)


def _delimiter(text: str) -> str:
    said = _SAID_DELIMITER.match(text)
    if said:
        return said[1]
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(_DELIMITERS, key=header.count)


def _syntax_error(message: str, *, where: str) -> VlmhbError:
    hint = 'a quote inside a quoted cell is written twice ("")'
    if "unexpected end" in message:
        what = 'a cell opens a quote (") and never closes it'
    elif "expected after" in message:
        what = 'there is text after a closing quote (")'
    elif "field limit" in message:
        what = f"a cell is longer than {csv.field_size_limit()} characters"
        hint = "put a long prompt into a .txt file and name it in prompt_collection"
    else:
        what = f"the row is not CSV ({message})"
    return BadValue(what, where=where, hint=hint)


def _header_errors(names: tuple[str, ...], *, where: str) -> list[VlmhbError]:
    twice = sorted(name for name, count in Counter(names).items() if name and count > 1)
    return [
        BadValue(f"column '{name}' stands twice in the header", where=where, hint="keep one")
        for name in twice
    ]


@dataclass(frozen=True, kw_only=True)
class _Broken:
    line: int
    column: str


def _broken(names: tuple[str, ...], records: list[_Record]) -> list[_Broken]:
    found = []
    for record in records:
        position = next((index for index, cell in enumerate(record.cells) if is_broken(cell)), None)
        if position is not None:
            name = names[position] if position < len(names) and not is_broken(names[position]) else ""
            found.append(_Broken(line=record.line, column=name))
    return found


def _wrong_encoding(broken: list[_Broken], *, file: str, guess: str) -> VlmhbError:
    first = broken[0]
    more = f" in {len(broken)} rows" if len(broken) > 1 else ""
    where = f"{file}, row {first.line}" + (f", column {first.column}" if first.column else "")
    return WrongEncoding(f"text is not UTF-8{guess}{more}", where=where, hint=UTF8_HINT)


def _shape_error(record: _Record, *, width: int, file: str) -> VlmhbError | None:
    """Cells too few, or too many that hold something (spreadsheets pad rows with empty ones)."""
    count = len(record.cells)
    if count >= width and not any(cell.strip() for cell in record.cells[width:]):
        return None
    what = f"the row has {count} cells, the header has {width}"
    hint = (
        'put a cell that holds the delimiter in quotes: "..."'
        if count > width
        else "add the missing delimiters"
    )
    return BadValue(what, where=f"{file}, row {record.line}", hint=hint)
