"""The engine interface: how a container is started. Where it is started is the scheduler's business.

`render` is pure: its result is the only source for running, `--dry-run`, batch scripts and golden files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

Network = Literal["none", "egress", "host"]
EndReason = Literal["exit", "oom", "child_oom", "timeout", "stopped", "engine_error", "image_missing"]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mount(Frozen):
    """`target` is a `/vlmhb/...` path on every engine."""

    source: Path
    target: str
    writable: bool = False


class Limits(Frozen):
    memory_mib: int | None = None
    cpus: float | None = None
    pids: int | None = 512
    shm_mib: int | None = None
    tmp_mib: int = 512


class ImageSpec(Frozen):
    """One of our images, or a foreign one. `ref` for container engines, `env` (a venv) for `process`."""

    name: str
    ref: str
    identity: str  # image config digest; lock hash + Python version for `process`
    env: Path | None = None


class ContainerTask(Frozen):
    """One container to run. `command` is the argv inside; `process` puts its venv's `python3` first."""

    name: str
    image: ImageSpec
    command: tuple[str, ...]
    mounts: tuple[Mount, ...] = ()
    env: dict[str, str] = {}
    network: Network = "none"
    limits: Limits = Limits()
    gpus: tuple[str, ...] = ()  # UUIDs or indices, exactly as leased
    options: tuple[str, ...] = ()  # whitelisted extra run options of a card
    labels: dict[str, str] = {}  # org.vlmhb.run, org.vlmhb.artifact, org.vlmhb.workspace, org.vlmhb.role
    user: str = "65534:65534"


class RenderedTask(Frozen):
    """What is executed: the argv, the environment added to it and, for `process`, the links to make."""

    argv: tuple[str, ...]
    env: dict[str, str] = {}
    cwd: str | None = None
    links: tuple[Mount, ...] = ()
    not_enforced: tuple[str, ...] = ()  # "network", "read_only", "memory", ...


class TaskExit(Frozen):
    code: int
    reason: EndReason
    detail: str = ""
    peak_memory_mib: float | None = None


class Usage(Frozen):
    """What a task has used since it was started; memory is what it uses now. None where that is not known."""

    cpu_s: float | None = None
    rss_mib: float | None = None
    read_mib: float | None = None  # from block devices
    written_mib: float | None = None


class Handle(Protocol):
    """A running container."""

    def poll(self) -> TaskExit | None:
        """The exit when it has ended, else None."""

    def terminate(self) -> None:
        """Sends SIGTERM and returns at once; `poll` tells when it has ended."""

    def stop(self, *, grace_s: float) -> None:
        """SIGTERM, then SIGKILL after `grace_s`. Returns when it is gone."""

    def peak_memory_mib(self) -> float | None:
        """The most memory that it has been seen to use so far; None where that is not known."""

    def memory_kills(self) -> int:
        """How many of its processes the kernel has been seen to kill for memory so far."""

    def usage(self) -> Usage | None:
        """None when it does not run (yet, or any more). Safe to call from another thread."""

    def verify(self) -> tuple[str, ...]:
        """Names of limits that were asked for but are not in force (read from the live cgroup)."""


class Engine(Protocol):
    @property
    def name(self) -> str:
        """`docker`, `podman`, `apptainer` or `process`."""

    @property
    def isolation(self) -> str:
        """`container` or `venv`."""

    def render(self, task: ContainerTask, *, root: Path | None = None) -> RenderedTask:
        """Pure. `root` is the private folder of links that `process` uses as `/vlmhb`.

        Raises `OptionNotAllowed` for an option outside the whitelist."""

    def start(self, task: ContainerTask, *, log: Path) -> Handle:
        """Starts it with stdout and stderr appended to `log`. Raises `ImageMissing`, `EngineUnavailable`."""

    def cleanup(self, *, labels: dict[str, str]) -> int:
        """Kills and removes every container that carries all `labels`; how many there were."""
