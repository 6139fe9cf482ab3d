"""Which engine this machine can use, and why not the others."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vlmhb.command import CommandResult, Run, run_command
from vlmhb.engines.apptainer_detect import Unusable, find_apptainer
from vlmhb.engines.base import Engine
from vlmhb.engines.container import ContainerEngine, last_line
from vlmhb.engines.process import ProcessEngine, network_cutter
from vlmhb.errors import EngineUnavailable

Wanted = Literal["auto", "docker", "podman", "apptainer", "process"]
ASK_S = 10.0
PODMAN_DEFAULT = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Why an engine cannot be used here, and what to do about it."""

    name: str
    reason: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class Detection:
    engine: Engine | None
    rejected: tuple[Rejection, ...]


def detect_engine(wanted: Wanted = "auto") -> Engine:
    """The wanted engine, or for `auto` the first usable of Docker, Podman, Apptainer and `process`.

    Raises `EngineUnavailable` when the wanted one cannot be used."""
    found = detect(wanted)
    if found.engine is not None:
        return found.engine
    first = found.rejected[0]
    raise EngineUnavailable(f"engine {first.name} cannot be used: {first.reason}", hint=first.hint)


def detect(wanted: Wanted = "auto", *, run: Run | None = None) -> Detection:
    """As `detect_engine`, with the reason for every engine that was passed over."""
    ask = run or _ask
    rejected: list[Rejection] = []
    for name in ("docker", "podman", "apptainer", "process") if wanted == "auto" else (wanted,):
        found = PROBES[name](ask)
        if not isinstance(found, Rejection):
            return Detection(engine=found, rejected=tuple(rejected))
        rejected.append(found)
    return Detection(engine=None, rejected=tuple(rejected))


def docker_engine(run: Run) -> Engine | Rejection:
    result = run(["docker", "version", "--format", "{{.Server.Version}}"])
    if result.ok and result.stdout.strip():
        return ContainerEngine(name="docker")
    if "Podman" in result.stdout + run(["docker", "--version"]).stdout:
        return Rejection(name="docker", reason="`docker` here is Podman", hint="use --engine podman")
    return _rejection("docker", result, absent_hint="install Docker, or use --engine process")


def podman_engine(run: Run) -> Engine | Rejection:
    form = "{{.Host.Security.Rootless}} {{.Host.CgroupsVersion}}"
    result = run(["podman", "info", "--format", form])
    words = result.stdout.split()
    if not result.ok or len(words) != 2:
        return _rejection("podman", result, absent_hint="install Podman, or use --engine process")
    rootless = words[0] == "true"
    return ContainerEngine(
        name="podman",
        rootless=rootless,
        ulimits=() if rootless else podman_ulimits(),
        limits_work=not (rootless and words[1] == "v1"),
    )


def podman_ulimits() -> tuple[str, ...]:
    """Podman asks for 1048576 files and processes even where root may not raise limits, and then fails.

    Where this process has less, exactly that is asked for; Podman lowers its processes to `pid_max` first."""
    pid_max = int(Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii"))
    files, processes = (
        resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
    )
    held = {
        "nofile": files,
        "nproc": pid_max if processes == resource.RLIM_INFINITY else min(processes, pid_max),
    }
    return tuple(
        f"{name}={value}:{value}"
        for name, value in held.items()
        if value != resource.RLIM_INFINITY and value < PODMAN_DEFAULT
    )


def apptainer_engine(run: Run) -> Engine | Rejection:
    found = find_apptainer(run)
    if isinstance(found, Unusable):
        return Rejection(name="apptainer", reason=found.reason, hint=found.hint)
    return found


def process_engine(run: Run) -> Engine | Rejection:
    return ProcessEngine(cut_network=network_cutter(run=lambda argv, **_: run(argv)))


PROBES: dict[str, Callable[[Run], Engine | Rejection]] = {
    "docker": docker_engine,
    "podman": podman_engine,
    "apptainer": apptainer_engine,
    "process": process_engine,
}


def _rejection(name: str, result: CommandResult, *, absent_hint: str) -> Rejection:
    text = last_line(result.stderr)
    if result.code == 127:
        return Rejection(name=name, reason=f"the program `{name}` is not installed", hint=absent_hint)
    if result.code == 124:
        return Rejection(name=name, reason=f"it did not answer in {ASK_S:g} s", hint="restart its service")
    if "permission denied" in text.lower():
        hint = f"add your user to the group `{name}` and log in again, or use --engine podman"
        return Rejection(name=name, reason="permission denied at its socket", hint=hint)
    return Rejection(name=name, reason=text, hint="start its service (`systemctl start docker`)")


def _ask(argv: Sequence[str]) -> CommandResult:
    return run_command(argv, timeout_s=ASK_S)
