"""Private folders of running tasks, by which a later program finds what a killed one left running."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmhb.engines.cgroups import PROC
from vlmhb.errors import EngineUnavailable
from vlmhb.store.files import read_json, write_json

RECORD = "task.json"


@dataclass(frozen=True, kw_only=True)
class ProcessId:
    """A process for good: a number alone is used again, and after a boot by anyone."""

    pid: int
    started: str  # clock ticks since boot
    boot: str

    @staticmethod
    def of(pid: int) -> ProcessId | None:
        """None when there is no such process, or only its zombie."""
        try:
            fields = (
                (PROC / str(pid) / "stat")
                .read_text(encoding="utf-8", errors="replace")
                .rpartition(")")[2]
                .split()
            )
        except OSError:
            return None
        return None if fields[0] in "ZX" else ProcessId(pid=pid, started=fields[19], boot=_boot_id())


@dataclass(frozen=True)
class TaskRoot:
    """One task's folder: `/vlmhb` inside, and `task.json` {name, labels, leader} for `cleanup`."""

    path: Path

    def record(self, *, pid: int) -> None:
        leader = ProcessId.of(pid)
        if leader is not None:
            write_json(self.path / RECORD, {**self.read(), "leader": leader.__dict__})

    def read(self) -> dict[str, Any]:
        found = read_json(self.path / RECORD)
        return found if isinstance(found, dict) else {}

    def leader(self) -> int | None:
        """The recorded process, while it runs."""
        found = self.read().get("leader")
        return int(found["pid"]) if found and ProcessId.of(found["pid"]) == ProcessId(**found) else None

    def kill(self) -> None:
        """SIGKILL for the leader's process group and for everything else that was started in this folder."""
        if (leader := self.leader()) is not None:
            _signal_group(leader)
        for pid in self.strays():
            _signal(pid)

    def strays(self) -> Iterator[int]:
        """Processes whose environment names this folder: not yet recorded, or in a session of their own."""
        mark = b"VLMHB_ROOT=" + os.fsencode(self.path)
        for folder in PROC.iterdir():
            if folder.name.isdigit() and mark in _environ(folder).split(b"\0"):
                yield int(folder.name)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


@dataclass(frozen=True)
class ProcessRegistry:
    folder: Path

    def new(self, *, name: str, labels: dict[str, str]) -> TaskRoot:
        """A new private folder; its record is there before any process is."""
        self._own_folder()
        path = self.folder / secrets.token_hex(4)
        path.mkdir(mode=0o700)
        write_json(path / RECORD, {"name": name, "labels": labels})
        return TaskRoot(path)

    def find(self, *, labels: dict[str, str]) -> list[TaskRoot]:
        """Folders of tasks that carry all `labels`."""
        roots = [TaskRoot(path) for path in sorted(self.folder.iterdir())] if self.folder.is_dir() else []
        return [root for root in roots if labels.items() <= root.read().get("labels", {}).items()]

    def _own_folder(self) -> None:
        """It has a name that anyone can guess, so it must be ours and closed to others."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.folder.lstat()
        if self.folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise EngineUnavailable(
                f"folder {self.folder} belongs to another user or is open to others",
                hint="set TMPDIR to a folder of yours",
            )


def _signal_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _signal(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _environ(folder: Path) -> bytes:
    try:
        return (folder / "environ").read_bytes()
    except OSError:
        return b""


def _boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
