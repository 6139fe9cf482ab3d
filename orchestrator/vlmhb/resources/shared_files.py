"""Files that all users of a host share, held by kernel locks: those end with their process, however it ends."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vlmhb.errors import EngineUnavailable

FOLDER_MODE = 0o1777  # as /tmp: everyone may add files, nobody may remove another's
FILE_MODE = 0o666
_NEXT_TRY_S = 0.01


def shared_folder(path: Path) -> Path:
    """Made if need be. Raises `EngineUnavailable` where someone has put something else in its place."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        ready = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        ready.chmod(FOLDER_MODE)  # whatever the umask is
        try:
            ready.rename(path)  # at once with its mode: another user may be about to use it
        except OSError:  # someone was faster
            ready.rmdir()
    if not stat.S_ISDIR(path.lstat().st_mode) or not os.access(path, os.W_OK | os.X_OK):
        raise EngineUnavailable(
            f"{path} is not a folder that everyone may write in",
            hint="remove it, or set VLMHB_GPU_LEASES to another folder, the same for all users of this host",
        )
    return path


class HeldFile:
    """An open file under an exclusive lock. Its text says who holds it; it is emptied when it is let go."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> dict[str, Any]:
        return _parsed(os.pread(self._descriptor, 65536, 0))

    def write(self, record: dict[str, Any]) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(record).encode(), 0)

    def release(self) -> None:
        """An empty file tells the next holder that this one has tidied up."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def drop(self) -> None:
        """Unlocked, its text left as it is."""
        os.close(self._descriptor)


def try_hold(path: Path) -> HeldFile | None:
    """None when someone alive holds it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        raise
    return HeldFile(descriptor)


@contextmanager
def hold(path: Path, *, wait_s: float) -> Iterator[None]:
    """Waits for it; for short sections only. Raises `EngineUnavailable` when somebody keeps it for longer than
    `wait_s`: he was stopped in the middle, or hangs."""
    until = time.monotonic() + wait_s
    while (file := try_hold(path)) is None:
        if time.monotonic() > until:
            pid = told_in(path).get("pid", "unknown")
            raise EngineUnavailable(
                f"{path} has been held for {wait_s:g} s by the process {pid}",
                hint=f"it is stopped or hangs: let it go on (kill -CONT {pid}) or end it",
            )
        time.sleep(_NEXT_TRY_S)
    try:
        file.write({"pid": os.getpid()})
        yield
    finally:
        file.drop()


def told_in(path: Path) -> dict[str, Any]:
    """What its holder has written; nothing when it is not there."""
    try:
        return _parsed(path.read_bytes())
    except OSError:
        return {}


def _open(path: Path) -> int:
    """Without O_CREAT where it is there: the kernel refuses that for another user's file in a folder like /tmp."""
    while True:
        with suppress(FileNotFoundError):
            return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        mine = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        descriptor = os.open(mine, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        os.fchmod(descriptor, FILE_MODE)
        os.close(descriptor)
        try:
            with suppress(FileExistsError):
                os.link(mine, path)
        finally:
            mine.unlink()


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
