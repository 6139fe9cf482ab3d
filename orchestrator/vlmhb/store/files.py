"""Durable small files: written to a temporary name, synced, renamed, and the folder synced."""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by `data`: after a crash the file is the old or the new one, never a mix.

    `mode` holds whatever the umask is. Safe beside other writers, threads and hosts: the last one wins."""
    temporary = _write_temporary(path, data, mode=mode)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def create_once(path: Path, data: bytes) -> None:
    """Write `path` unless it is there: of several writers at once, the first one wins for good."""
    temporary = _write_temporary(path, data, mode=0o644)
    try:
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()


def _write_temporary(path: Path, data: bytes, *, mode: int) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def write_json(path: Path, value: Any) -> None:
    write_atomic(path, (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode())


def read_json(path: Path) -> Any:
    """The parsed file, or None when it is missing, empty or not JSON (a torn write of another program)."""
    try:
        return parse_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


def parse_json(data: bytes) -> Any:
    """The value, or None when it is not JSON, or nested deeper than anything that was ever written here."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


@contextmanager
def open_plain(path: Path) -> Iterator[BinaryIO]:
    """A regular file that others may write: no link is followed, and no pipe waited for.

    Raises `FileNotFoundError` for anything else."""
    descriptor = _descriptor(path)
    if descriptor is None:
        raise FileNotFoundError(errno.ENOENT, "no regular file", str(path))
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _descriptor(path: Path) -> int | None:
    """None for a link, a pipe, a device and a folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link; a socket
            return None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """fsync every file and folder below `root`, so that a manifest never outlives what it describes."""
    for folder, _, files in os.walk(root):
        for name in files:
            descriptor = _descriptor(Path(folder, name))
            if (
                descriptor is None
            ):  # the folder holds it; what a link leads to is not ours, and a pipe has no end
                continue
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(folder))
