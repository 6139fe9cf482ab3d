"""Reads delimited files record by record with the place of each, keeping every cell exactly as written.

RFC 4180 quoting, strictly: a stray quote is an error at its row, never a silent merge of the rows below it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vlmhb_benchmarks.loaders.base import LoaderError

BOM = b"\xef\xbb\xbf"
MAX_CELL = 2**31 - 1  # characters; a cell may be a whole base64 image


@dataclass(frozen=True, kw_only=True)
class CsvRecord:
    """`row` is the 1-based line, `offset` the byte at which the record begins."""

    cells: tuple[str, ...]
    row: int
    offset: int


class _Lines:
    """Decoded lines with their own line ends, and where the next one begins."""

    def __init__(self, stream: BinaryIO, *, name: str) -> None:
        self._stream, self._name = stream, name
        self.row = 1
        self.offset = stream.tell()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._stream.readline()
        if not line:
            raise StopIteration
        text = _decode(line.removeprefix(BOM) if self.offset == 0 else line, name=self._name, row=self.row)
        self.offset += len(line)
        self.row += 1
        return text


def _decode(line: bytes, *, name: str, row: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LoaderError(
            "not UTF-8", file=name, row=row, hint="save the file as UTF-8 (in Excel: CSV UTF-8)"
        ) from error


@contextmanager
def _open(path: Path, *, name: str) -> Iterator[BinaryIO]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise LoaderError(error.strerror or "not readable", file=name) from error
    with stream:
        yield stream


def read_lines(path: Path, *, name: str) -> Iterator[tuple[int, str]]:
    """(1-based row, decoded line with its line end), BOM removed."""
    with _open(path, name=name) as stream:
        yield from enumerate(_Lines(stream, name=name), start=1)


def read_records(path: Path, *, delimiter: str, name: str, offset: int = 0) -> Iterator[CsvRecord]:
    """Records from byte `offset` on, blank lines left out. `name` is what errors call the file.

    Raises `LoaderError` for wrong quoting or bytes that are not UTF-8. From an `offset` other than 0,
    rows are counted from there."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL))
    with _open(path, name=name) as stream:
        stream.seek(offset)
        lines = _Lines(stream, name=name)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            row, start = lines.row, lines.offset
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                hint = 'a cell that begins with " must end with one, and a " inside it is doubled'
                raise LoaderError(f"wrong quoting ({error})", file=name, row=row, hint=hint) from error
            if cells:
                yield CsvRecord(cells=tuple(cells), row=row, offset=start)
