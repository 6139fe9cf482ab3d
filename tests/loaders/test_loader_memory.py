"""Memory stays flat in the number of rows: peak RSS of a process that reads N rows, and of one that reads 4 N."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 500  # and 2000
IMAGE = 20_000  # bytes; 2000 rows make 40 MB
SLACK = 16 << 20  # bytes; a loader that holds the rows would need 30 MB more

# VmHWM is the peak of the program itself; ru_maxrss starts at the size of the process that it was forked from.
READ = (
    "import re, sys\n"
    "from pathlib import Path\n"
    "from vlmhb_benchmarks.loaders import load\n"
    "count = sum(1 for sample in load(sys.argv[1], Path(sys.argv[2]), {}) if sample.problem is None)\n"
    "print(count, re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1])\n"
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")


def _tables(rows: int) -> Iterator[pa.Table]:
    """100 rows each, their images no two alike."""
    for start in range(0, rows, 100):
        numbers = range(start, start + 100)
        images = [{"bytes": os.urandom(IMAGE), "path": None} for _ in numbers]
        cells = {"id": [str(n) for n in numbers], "question": ["q"] * 100, "answer": ["a"] * 100}
        yield pa.table({**cells, "image": images})


def _parquet(path: Path, *, rows: int) -> None:
    tables = list(_tables(rows))
    with pq.ParquetWriter(path, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table)


def _one_row_group(path: Path, *, rows: int) -> None:
    pq.write_table(pa.concat_tables(_tables(rows)), path, row_group_size=rows)


def _arrow(path: Path, *, rows: int) -> None:
    tables = list(_tables(rows))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table)


def _text(number: int) -> str:
    """As long as an image in base64; no two alike."""
    return f"{number:08d}" * (IMAGE // 6)


def _tsv(path: Path, *, rows: int) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.write("index\tquestion\tanswer\timage\n")
        for number in range(rows):
            stream.write(f"{number}\tq\ta\t{_text(number)}\n")


def _json(path: Path, *, rows: int) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.write("[")
        for number in range(rows):
            row = {"id": number, "answer": "a", "note": _text(number)}
            stream.write(("," if number else "") + json.dumps(row))
        stream.write("]")


def peak(loader: str, path: Path, *, rows: int) -> int:
    """Bytes of RSS."""
    command = [sys.executable, "-c", READ, loader, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count, size = done.stdout.split()
    assert int(count) == rows
    return int(size) * 1024


@pytest.mark.parametrize(
    ("loader", "name", "write"),
    [
        ("parquet", "t.parquet", _parquet),
        ("parquet", "t.parquet", _one_row_group),
        ("parquet", "t.arrow", _arrow),
        ("tsv", "t.tsv", _tsv),
        ("jsonl", "t.json", _json),
    ],
    ids=["row groups", "one row group", "arrow", "tsv", "json list"],
)
def test_memory_is_flat(tmp_path: Path, loader: str, name: str, write: Callable[..., None]) -> None:
    sizes = []
    for rows in (ROWS, 4 * ROWS):
        folder = tmp_path / str(rows)
        folder.mkdir()
        write(folder / name, rows=rows)
        sizes.append(peak(loader, folder / name, rows=rows))
    small, large = sizes
    assert large < small + SLACK, (
        f"{small / 2**20:.0f} MiB for {ROWS} rows, {large / 2**20:.0f} MiB for {4 * ROWS}"
    )
