"""One writer per artifact: a lock file that is safe on shared filesystems and against dead holders.

Taking it is a hard link to a private file, which is atomic on NFS too. A holder on this host is dead when its
process is gone (pid and start time); a holder elsewhere when it has not touched its lock for `STALE_S`.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from vlmhb.errors import Interrupted
from vlmhb.store.files import read_json

STALE_S = 120.0
REFRESH_S = 15.0
POLL_S = 0.2


def process_start(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat); None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _name(holder: Mapping[str, object]) -> str:
    return f"pid {holder.get('pid')} on {holder.get('host')}"


def _ignore(_holder: str) -> None:
    return None


def _never() -> bool:
    return False


def owner_name(*, host: str, pid: int, start: str | None) -> str:
    """One process of one host, as a container label."""
    return f"{host}-{pid}-{start}"


class ArtifactLock:
    """Context manager. `waiting` is called once, with the holder, when someone else has the lock."""

    def __init__(
        self,
        path: Path,
        *,
        waiting: Callable[[str], None] = _ignore,
        should_stop: Callable[[], bool] = _never,
    ) -> None:
        self._path = path
        self._waiting = waiting
        self._should_stop = should_stop
        self._token = uuid.uuid4().hex
        self._done = threading.Event()

    @staticmethod
    def holder(path: Path) -> str | None:
        """Who holds the lock now, as `pid 1 on host`; None when nobody alive does."""
        lock = ArtifactLock(path)
        held_by = read_json(path)
        return _name(held_by) if held_by is not None and not lock._is_dead(held_by) else None

    def __enter__(self) -> ArtifactLock:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        told = False
        while not self._try_take():
            holder = read_json(self._path)
            if self._is_dead(holder):
                self._break(holder)
                continue
            if not told and holder is not None:
                self._waiting(_name(holder))
                told = True
            if self._should_stop():
                raise Interrupted("stopped while waiting for another run", where=str(self._path.parent))
            time.sleep(POLL_S)
        threading.Thread(target=self._refresh, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        holder = read_json(self._path)
        if holder is not None and holder.get("token") == self._token:
            self._path.unlink(missing_ok=True)

    def _try_take(self) -> bool:
        mine = self._path.with_name(f"{self._path.name}.{self._token}")
        me = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "start": process_start(os.getpid()),
            "token": self._token,
        }
        try:
            mine.write_text(json.dumps(me))
            os.link(mine, self._path)
        except FileExistsError:
            return False
        finally:
            mine.unlink(missing_ok=True)
        return True

    def _is_dead(self, holder: dict[str, object] | None) -> bool:
        if holder is not None and holder.get("host") == socket.gethostname():
            return process_start(int(str(holder.get("pid")))) != holder.get("start")
        try:
            return time.time() - self._path.stat().st_mtime > STALE_S
        except FileNotFoundError:
            return False

    def _break(self, holder: dict[str, object] | None) -> None:
        """Move the dead holder's lock aside; if someone else's fresh lock was moved instead, put it back."""
        aside = self._path.with_name(f"{self._path.name}.dead.{self._token}")
        try:
            self._path.rename(aside)
        except FileNotFoundError:
            return
        moved = read_json(aside)
        if moved != holder:
            with contextlib.suppress(
                FileExistsError
            ):  # a third process has taken it meanwhile: its lock stands
                os.link(aside, self._path)
        aside.unlink()

    def _refresh(self) -> None:
        while not self._done.wait(REFRESH_S):
            try:
                os.utime(self._path)
            except FileNotFoundError:
                return
