"""Reads rows of parquet and arrow files in small batches: memory holds a batch, whatever the length of the file."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import LoaderError

BATCH_BYTES = 4 << 20  # of rows that are turned into Python values at once
MAX_BATCH_ROWS = 1024
BUFFER = 1 << 18  # bytes read at once from a column of a row group
PARQUET_MAGIC, ARROW_MAGIC, STREAM_END = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff\x00\x00\x00\x00"
HEAD = 64  # bytes
FLOAT32_DIGITS = range(6, 10)  # nine digits tell any two of them apart


@dataclass(frozen=True, kw_only=True)
class FileRow:
    """`row` is 1-based within the file."""

    data: Mapping[str, Any]
    row: int


def column_names(path: Path, *, name: str) -> tuple[str, ...]:
    """Raises `LoaderError` for a file that is not whole or not of these formats."""
    with _opened(path, name=name) as source:
        return tuple(source.schema_arrow.names if _is_parquet(source) else source.schema.names)


def read_rows(path: Path, *, name: str) -> Iterator[FileRow]:
    """Raises `LoaderError`, with the row group or the row from which on the file is damaged."""
    row = 1
    with _opened(path, name=name) as source:
        batches = _of_parquet(source, name=name) if _is_parquet(source) else _of_arrow(source, name=name)
        for batch in batches:
            singles = [field.name for field in batch.schema if str(field.type) == "float"]
            for data in _values(batch, name=name, row=row):
                yield FileRow(data={**data, **{key: _shortest(data[key]) for key in singles}}, row=row)
                row += 1


def _values(batch: Any, *, name: str, row: int) -> Sequence[dict[str, Any]]:
    """`row`: that of the first. Raises `LoaderError` for a text that is not UTF-8."""
    try:
        rows: Sequence[dict[str, Any]] = batch.to_pylist()
    except UnicodeDecodeError as error:
        if batch.num_rows == 1:
            raise LoaderError("a text is not UTF-8", file=name, row=row) from error
        rows = [_values(batch.slice(at, 1), name=name, row=row + at)[0] for at in range(batch.num_rows)]
    return rows


def _is_parquet(source: Any) -> bool:
    return hasattr(source, "schema_arrow")


@contextmanager
def _opened(path: Path, *, name: str) -> Iterator[Any]:
    """A `ParquetFile`, or a reader of arrow's file or stream format."""
    head = _head(path, name=name)
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        if head.startswith(PARQUET_MAGIC):
            with ParquetFile(path, buffer_size=BUFFER, pre_buffer=False) as file:
                yield file
            return
        with pa.OSFile(str(path)) as stream:
            is_file = head.startswith(ARROW_MAGIC)
            if not is_file:
                _check_end(path, name=name)
            yield pa.ipc.open_file(stream) if is_file else pa.ipc.open_stream(stream)
    except (OSError, ValueError) as error:  # pyarrow's own errors are kinds of these
        raise LoaderError(f"cut off or damaged ({_first_line(error)})", file=name) from error


def _head(path: Path, *, name: str) -> bytes:
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError as error:
        raise LoaderError(error.strerror or "not readable", file=name) from error
    if not head:
        raise LoaderError("the file is empty", file=name)
    if path.suffix.lower() == ".parquet" and not head.startswith(PARQUET_MAGIC):
        pointer = head.startswith(b"version https://git-lfs")
        hint = "a Git LFS pointer: fetch the file itself (git lfs pull)" if pointer else ""
        raise LoaderError("not a parquet file", file=name, hint=hint)
    return head


def _check_end(path: Path, *, name: str) -> None:
    """A stream that is cut between two batches reads like a shorter one, but for its end mark."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - len(STREAM_END)))
        if stream.read() != STREAM_END:
            raise LoaderError("cut off or damaged (no end mark)", file=name)


def _of_parquet(file: Any, *, name: str) -> Iterator[Any]:
    for group in range(file.num_row_groups):
        facts = file.metadata.row_group(group)
        batches = file.iter_batches(
            batch_size=_batch_rows(facts.total_byte_size, rows=facts.num_rows),
            row_groups=[group],
            use_threads=False,
        )
        try:
            yield from batches
        except (OSError, ValueError) as error:
            message = f"row group {group + 1} of {file.num_row_groups} is damaged ({_first_line(error)})"
            raise LoaderError(message, file=name) from error


def _of_arrow(reader: Any, *, name: str) -> Iterator[Any]:
    """One record batch is held; `datasets` makes them of 1000 rows at most."""
    row = 1
    try:
        for batch in _record_batches(reader):
            step = _batch_rows(batch.nbytes, rows=batch.num_rows)
            for start in range(0, batch.num_rows, step):
                yield batch.slice(start, step)
            row += batch.num_rows
    except (OSError, ValueError) as error:
        raise LoaderError(f"damaged ({_first_line(error)})", file=name, row=row) from error


def _record_batches(reader: Any) -> Iterator[Any]:
    count = getattr(reader, "num_record_batches", None)
    if count is None:
        yield from reader
    else:
        yield from (reader.get_batch(number) for number in range(count))


def _batch_rows(size: int, *, rows: int) -> int:
    """How many rows of this size (all of them together: `size` bytes) are turned into Python values at once."""
    return max(1, min(MAX_BATCH_ROWS, BATCH_BYTES * max(rows, 1) // max(size, 1)))


def _shortest(value: float | None) -> Any:
    """A 32-bit float as the 64-bit float that is written the same way: 0.1, not 0.10000000149011612."""
    if value is None:
        return None
    for digits in FLOAT32_DIGITS:
        short = float(f"{value:.{digits}g}")
        if struct.pack("f", short) == struct.pack("f", value):
            return short
    return value


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
