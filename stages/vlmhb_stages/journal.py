"""Append-only JSON lines that survive a kill at any moment, and the way back to a clean file.

A line that was appended has reached the kernel: `kill -9` of this process loses nothing. Power loss may
cost what
was appended since the last `sync`, which the owner calls about once a second.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

T = TypeVar("T")
_BLOCK = 1 << 16  # bytes read at a time when looking for the last newline


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """What was found in a journal."""

    lines: int = 0  # valid ones
    corrupt: int = 0  # whole lines that are not valid records; they stay where they are and are ignored
    cut_bytes: int = 0  # torn tail that was removed


class Journal:
    """Writes lines to the end of `path`; a torn tail of an earlier writer is cut first."""

    def __init__(
        self, path: Path, *, clock: Callable[[], float] = time.monotonic, sync_every_s: float = 1.0
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        cut_torn_tail(path)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        if is_new:
            _sync_folder(path.parent)
        self._end = os.fstat(self._fd).st_size
        self._clock = clock
        self._sync_every_s = sync_every_s
        self._synced = clock()
        self._dirty = False

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._end

    def append(self, line: str) -> int:
        """Writes one line (without its newline) and returns its offset.

        Raises `OSError` when it cannot be written; then nothing of it is left, as far as the disk allows."""
        data = line.encode() + b"\n"
        start = self._end
        try:
            _write_all(self._fd, data)
        except OSError:
            with suppress(OSError):  # what stays behind is a torn tail, which the next start cuts
                os.ftruncate(self._fd, start)
            raise
        self._end += len(data)
        self._dirty = True
        return start

    def sync(self, *, force: bool = False) -> bool:
        """fsync when something is unsynced and the last time is long enough ago (or `force`); whether it
        did."""
        if not self._dirty or not (force or self._clock() - self._synced >= self._sync_every_s):
            return False
        self._dirty = False
        self._synced = self._clock()
        os.fsync(self._fd)
        return True

    def close(self) -> None:
        try:
            self.sync(force=True)
        finally:
            os.close(self._fd)


def recover(
    path: Path,
    *,
    parse: Callable[[bytes], T] = json.loads,
    keep: Callable[[int, T], None] = lambda _offset, _record: None,
) -> Recovery:
    """Cuts the torn tail of `path`, then gives each valid line with its offset to `keep`, in file order.

    A caller for whom the last record wins need only overwrite. `parse` raises `ValueError` for an invalid
    line."""
    cut = cut_torn_tail(path)
    found = scan(path, parse=parse, keep=keep)
    return Recovery(lines=found.lines, corrupt=found.corrupt, cut_bytes=cut)


def scan(path: Path, *, parse: Callable[[bytes], T], keep: Callable[[int, T], None]) -> Recovery:
    """`recover` for a file that must not be changed: a torn tail is just one more corrupt line."""
    lines = corrupt = offset = 0
    if not path.exists():
        return Recovery()
    with path.open("rb") as file:
        for line in file:
            try:
                record = parse(line)
            except ValueError:
                corrupt += 1
            else:
                lines += 1
                keep(offset, record)
            offset += len(line)
    return Recovery(lines=lines, corrupt=corrupt)


def cut_torn_tail(path: Path) -> int:
    """Removes what follows the last newline, durably; how many bytes that was. A missing file has none."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        good = _after_last_newline(file, size)
    if good < size:
        fd = os.open(path, os.O_WRONLY)
        try:
            os.ftruncate(fd, good)
            os.fsync(fd)
        finally:
            os.close(fd)
    return size - good


def compact(path: Path, offsets: Iterable[int]) -> None:
    """Replaces the journal, atomically, by its lines at `offsets`, in that order."""

    def lines() -> Iterator[bytes]:
        with path.open("rb") as file:
            for offset in offsets:
                file.seek(offset)
                yield file.readline()

    write_atomic(path, lines())


def write_atomic(path: Path, chunks: Iterable[bytes]) -> None:
    """The whole new file or the old one, also after power loss: temporary file, fsync, rename, fsync of the
    folder."""
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:  # Ctrl-C as well: half a file must not stay beside the whole one
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:  # a nearly full disk takes a part and refuses the rest
        view = view[os.write(fd, view) :]


def _after_last_newline(file: BinaryIO, size: int) -> int:
    end = size
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        at = file.read(end - start).rfind(b"\n")
        if at >= 0:
            return int(start + at + 1)
        end = start
    return 0


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
