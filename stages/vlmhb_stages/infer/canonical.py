"""Makes a complete journal canonical: one valid line per sample, in planned order."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

from vlmhb_stages.contracts import Prediction
from vlmhb_stages.journal import compact

_STRUCK = b"#"  # no record begins so


def make_canonical(path: Path, offsets: Callable[[], Iterator[int]], *, known_from: int) -> int:
    """How many of the lines turned out to be unreadable; with none of them the journal is canonical now.

    Lines from `known_from` on were written by this very process; all others are read in full. An unreadable one is
    struck out, so that the next look at the journal counts it as corrupt. Atomic, in bounded memory."""
    bad, is_canonical = _check(path, offsets(), known_from=known_from)
    if bad:
        _strike(path, bad)
    elif not is_canonical:
        compact(path, offsets())
    return len(bad)


def _check(path: Path, offsets: Iterator[int], *, known_from: int) -> tuple[array[int], bool]:
    """Offsets of unreadable lines, and whether the file is nothing but these lines in this order."""
    bad, expected, in_order = array("q"), 0, True
    with path.open("rb") as file:
        for offset in offsets:
            in_order = in_order and offset == expected
            if offset >= known_from and not in_order:
                continue
            file.seek(offset)
            line = file.readline()
            expected = offset + len(line)
            if offset < known_from and not _is_record(line):
                bad.append(offset)
        return bad, in_order and expected == file.seek(0, os.SEEK_END)


def _strike(path: Path, offsets: array[int]) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        for offset in offsets:
            os.pwrite(fd, _STRUCK, offset)
        os.fsync(fd)
    finally:
        os.close(fd)


def _is_record(line: bytes) -> bool:
    try:
        Prediction.model_validate_json(line)
    except ValueError:
        return False
    return True
