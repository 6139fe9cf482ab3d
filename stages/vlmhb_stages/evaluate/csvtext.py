"""CSV in the dialect of upstream's files: `;`, UTF-8 with BOM, LF, quotes only where needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from vlmhb_benchmarks.loaders.base import LoaderError
from vlmhb_benchmarks.loaders.csvfile import read_records

from vlmhb_stages.evaluate.faults import EvaluateError

_QUOTED = ('"', "\r", "\n")
_NEEDS_QUOTES = frozenset((";", *_QUOTED))


def csv_line(cells: Iterable[str]) -> str:
    """One line. Before 3.13 Python's own writer leaves a bare CR unquoted, which no reader gets back."""
    texts = list(cells)
    if texts == [""]:
        return '""\n'  # else the line would be blank, and readers skip blank lines
    line = ";".join(texts)
    if line.count(";") == len(texts) - 1 and not any(mark in line for mark in _QUOTED):
        return line + "\n"
    return ";".join(_cell(text) for text in texts) + "\n"


def number(value: float | None) -> str:
    """All digits, so that the file gives the float back; empty where undefined."""
    return "" if value is None else repr(float(value))


def _cell(text: str) -> str:
    if _NEEDS_QUOTES.isdisjoint(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would work a cell out, and with what more than numbers: `=cmd|...`, `@SUM(...)`."""
    return text.startswith(("=", "+", "-", "@")) and not {"(", "|", "!"}.isdisjoint(text)


class CsvFile:
    """A CSV file that is written line by line."""

    def __init__(self, path: Path, *, header: Sequence[str]) -> None:
        self._file = path.open("w", encoding="utf-8-sig", newline="")
        self.write(header)

    def __enter__(self) -> CsvFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, cells: Iterable[str]) -> None:
        self._file.write(csv_line(cells))


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """upstream's annotation.csv. The id of a row is its position, 0-based, as text, unless `ids` names it."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    ids: Mapping[str, int] | None = None

    def position(self, sample_id: str) -> int:
        if self.ids is not None:
            return self.ids[sample_id]
        if sample_id.isascii() and sample_id.isdigit() and int(sample_id) < len(self.rows):
            return int(sample_id)
        raise EvaluateError(
            f"sample {sample_id!r} is no row of the annotation file",
            hint="the annotation file is not the one that the samples came from",
        )

    def column(self, name: str) -> tuple[str, ...]:
        index = self.header.index(name)
        return tuple(row[index] for row in self.rows)


def read_annotation(path: Path) -> Annotation:
    """Read as the loader reads it: text only, blank lines are no rows. Short rows are filled up."""
    try:
        header, *rows = read_records(path, delimiter=";", name=path.name)
    except LoaderError as error:
        raise EvaluateError(str(error)) from error
    except ValueError as error:
        raise EvaluateError(f"{path.name} is empty") from error
    width = len(header.cells)
    return Annotation(header=header.cells, rows=tuple((*row.cells, *[""] * width)[:width] for row in rows))
