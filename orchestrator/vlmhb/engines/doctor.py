"""What `vlmhb doctor` looks at: engines, limits, GPUs, disk and the parts of Python that runs need."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from vlmhb.command import Run, run_command
from vlmhb.engines.apptainer import ApptainerEngine
from vlmhb.engines.apptainer_args import ApptainerDialect
from vlmhb.engines.apptainer_sif import sif_obstacle
from vlmhb.engines.cgroups import SYS
from vlmhb.engines.detect import PROBES, Rejection
from vlmhb.engines.process import ProcessEngine
from vlmhb.resources.discover import discover
from vlmhb.resources.gpus import gib
from vlmhb.resources.leases import LeaseDesk, named
from vlmhb.resources.masks import masks_in_force, usable

LEAST_FREE_GIB = 10.0
CAP_SYS_RESOURCE = 24


@dataclass(frozen=True, kw_only=True)
class Check:
    """`ok` is False only for what stops a run or weakens it; `hint` then says what to do."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


def doctor_checks(*, workspace: Path = Path(), run: Run | None = None) -> list[Check]:
    """All checks, in reading order. Starts no container and asks no network."""
    ask = run or (lambda argv: run_command(argv, timeout_s=10))
    return [
        *(_engine(name, ask) for name in PROBES),
        _cgroups(ask),
        _raise_limits(),
        _gpus(ask),
        _disk("disk space", workspace),
        _disk("temporary folder", Path(tempfile.gettempdir()), least_gib=1.0),
        _python(),
        _venv(),
    ]


def _engine(name: str, run: Run) -> Check:
    found = PROBES[name](run)
    if isinstance(found, Rejection):
        return Check(name=name, ok=False, detail=found.reason, hint=found.hint)
    if isinstance(found, ProcessEngine):
        cut = (
            "tasks run without network"
            if found.cut_network
            else "the network cannot be taken away from tasks"
        )
        return Check(name=name, ok=True, detail=f"usable; {cut}")
    if isinstance(found, ApptainerEngine):
        return Check(name=name, ok=True, detail=f"usable; {_apptainer(found.dialect, run=run)}")
    return Check(name=name, ok=True, detail="usable")


def _apptainer(dialect: ApptainerDialect, *, run: Run) -> str:
    """How it is installed, what it cannot do here, and in which form it keeps images."""
    built = run([dialect.program, "buildcfg"]).stdout
    setuid = any(line.endswith("SUID_INSTALL=1") for line in built.splitlines())
    obstacle = sif_obstacle(root=dialect.root)
    told = [
        "installed with setuid" if setuid else "without setuid, by user namespaces",
        "" if dialect.cut_network else "the network cannot be taken away from tasks",
        "" if dialect.limits_work else "no memory, CPU and process limits",
        f"images are folders: {obstacle}" if obstacle else "images are single files",
    ]
    return "; ".join(filter(None, told))


def cgroup_kind(sys: Path = SYS) -> str:
    if (sys / "cgroup.controllers").exists():
        return "v2"
    return "hybrid" if (sys / "unified").is_dir() else "v1" if (sys / "memory").is_dir() else "none"


def _cgroups(run: Run) -> Check:
    """crun refuses hybrid cgroups, so every Podman container would fail to start."""
    kind = cgroup_kind()
    runtime = run(["podman", "info", "--format", "{{.Host.OCIRuntime.Name}}"])
    if kind == "hybrid" and runtime.stdout.strip() == "crun":
        hint = 'set `runtime = "runc"` and `cgroup_manager = "cgroupfs"` in containers.conf'
        return Check(
            name="cgroups",
            ok=False,
            detail="hybrid, which Podman's crun does not support; Docker and process are not concerned",
            hint=hint,
        )
    hint = "memory, CPU and process limits cannot be enforced" if kind == "none" else ""
    return Check(name="cgroups", ok=kind != "none", detail=kind, hint=hint)


def _raise_limits() -> Check:
    """Without this capability an engine cannot raise limits: we never ask for it, a card's ulimit might."""
    held = _bounding_set() >> CAP_SYS_RESOURCE & 1
    return Check(
        name="resource limits",
        ok=True,
        detail="a card's ulimit can raise them" if held else "as they are; a card's ulimit cannot raise them",
    )


def _bounding_set() -> int:
    try:
        text = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    return next((int(line.split()[1], 16) for line in text.splitlines() if line.startswith("CapBnd:")), 0)


def _gpus(run: Run) -> Check:
    """Every device, those that a mask hides or that a run has now being marked."""
    found, env = discover(run=run), os.environ
    if not found.gpus:
        return Check(name="gpus", ok=True, detail="none")
    mine = {gpu.uuid for gpu in usable(found, env=env)}
    busy = LeaseDesk().holders(gpu.uuid for gpu in found.gpus)
    told = []
    for gpu in found.gpus:
        memory = f", {gib(gpu.memory_mib)}" if gpu.memory_mib else ""
        free = f", {gib(gpu.free_mib)} free" if gpu.free_mib is not None else ""
        hidden = "" if gpu.uuid in mine else f", hidden by {masks_in_force(env)}"
        held = f", held by {named(busy[gpu.uuid])}" if gpu.uuid in busy else ""
        told.append(f"{gpu.index} {gpu.uuid} {gpu.name}{memory}{free}{hidden}{held}")
    return Check(name="gpus", ok=True, detail=f"{'; '.join(told)} (driver {found.driver}, {found.source})")


def _disk(name: str, folder: Path, *, least_gib: float = LEAST_FREE_GIB) -> Check:
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free / 2**30
    writable = os.access(existing, os.W_OK)
    hint = (
        "" if writable and free >= least_gib else f"free at least {least_gib:g} GiB in a folder you may write"
    )
    state = "" if writable else ", not writable"
    return Check(name=name, ok=not hint, detail=f"{free:.1f} GiB free at {existing}{state}", hint=hint)


def _python() -> Check:
    return Check(name="python", ok=True, detail=f"{platform.python_version()} on {platform.machine()}")


def _venv(find: Callable[[str], object] = find_spec) -> Check:
    missing = [name for name in ("venv", "ensurepip") if find(name) is None]
    hint = "install python3-venv; the `process` engine builds its environments with it" if missing else ""
    return Check(
        name="venv", ok=not missing, detail=f"missing: {', '.join(missing)}" if missing else "ok", hint=hint
    )
