"""The limits that are in force for a running process, read from its cgroups (v1, v2 and hybrid)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
SYS = Path("/sys/fs/cgroup")
UNIFIED = ("memory", "pids", "cpu", "io")  # v2 counts CPU time in `cpu` and disk traffic in `io`
CONTROLLERS = (*UNIFIED, "cpuacct", "blkio")
V1_UNLIMITED = 1 << 60  # v1 says "no limit" by a number near 2**63, rounded to pages


@dataclass(frozen=True, kw_only=True)
class LiveLimits:
    """None = no limit."""

    memory_bytes: int | None
    pids: int | None
    cpus: float | None


@dataclass(frozen=True, kw_only=True)
class Cgroup:
    """The folders of one process's cgroup, by controller, from its own up to the root."""

    folders: dict[str, tuple[Path, ...]]

    def limits(self) -> LiveLimits:
        """A limit of a parent is in force too, so the least on the way up counts."""
        memory = self._numbers("memory", ("memory.limit_in_bytes", "memory.max"))
        return LiveLimits(
            memory_bytes=min((value for value in memory if value < V1_UNLIMITED), default=None),
            pids=min(self._numbers("pids", ("pids.max",)), default=None),
            cpus=min(self._cpus(), default=None),
        )

    def peak_memory_bytes(self) -> int | None:
        """The most memory it ever held. Kernels before 5.19 keep no peak on v2: then what it holds now."""
        for name in ("memory.max_usage_in_bytes", "memory.peak", "memory.current"):
            for folder in self.folders.get("memory", ())[:1]:
                if (value := _number(folder / name)) is not None:
                    return value
        return None

    def memory_kills(self) -> int:
        """Processes of this cgroup that were killed for memory since it was made."""
        for folder in self.folders.get("memory", ())[:1]:
            for name in ("memory.oom_control", "memory.events"):
                for line in read_text(folder / name).splitlines():
                    key, _, value = line.partition(" ")
                    if key == "oom_kill" and value.isdigit():
                        return int(value)
        return 0

    def own_text(self, controller: str, name: str) -> str | None:
        """A file of its own folder; None where there is no such file."""
        folders = self.folders.get(controller, ())[:1]
        return next((read_text(folder / name) for folder in folders if (folder / name).exists()), None)

    def remove(self) -> None:
        """Its own folders, which are empty once its processes are gone. An engine that was killed leaves them."""
        for folder in {chain[0] for chain in self.folders.values()}:
            with suppress(OSError):
                folder.rmdir()

    def _numbers(self, controller: str, names: tuple[str, ...]) -> Iterator[int]:
        for folder in self.folders.get(controller, ()):
            for name in names:
                if (value := _number(folder / name)) is not None:
                    yield value

    def _cpus(self) -> Iterator[float]:
        for folder in self.folders.get("cpu", ()):
            quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
            words = read_text(folder / "cpu.max").split()
            if len(words) == 2 and words[0].isdigit():
                quota, period = int(words[0]), int(words[1])
            if quota and period and quota > 0:
                yield quota / period


def find_cgroup(pid: int, *, marker: str = "", proc: Path = PROC, sys: Path = SYS) -> Cgroup | None:
    """The cgroup of `pid`; None when it is gone, not visible here, or not in a cgroup named `marker`."""
    text = read_text(proc / str(pid) / "cgroup")
    if not text or marker not in text:
        return None
    folders: dict[str, tuple[Path, ...]] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(",") if controllers else UNIFIED:
            base = sys / controllers if controllers else _unified(sys)
            if controllers and not base.is_dir():
                base = sys / controller
            chain = _chain(base, path)
            if chain and controller in CONTROLLERS:
                folders[controller] = (*folders.get(controller, ()), *chain)
    return Cgroup(folders=folders) if folders else None


def _unified(sys: Path) -> Path:
    return sys / "unified" if (sys / "unified").is_dir() else sys


def _chain(base: Path, path: str) -> tuple[Path, ...]:
    own = base / path.lstrip("/")
    if ".." in own.parts or not own.is_dir():
        return ()
    return tuple(folder for folder in (own, *own.parents) if folder.is_relative_to(base))


def _number(path: Path) -> int | None:
    text = read_text(path)
    return int(text) if text.lstrip("-").isdigit() else None


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
