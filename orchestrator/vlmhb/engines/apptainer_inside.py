"""What is in force inside a running Apptainer container, read from /proc of the machine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vlmhb.engines.base import ContainerTask
from vlmhb.engines.cgroups import PROC, Cgroup, read_text
from vlmhb.engines.container_limits import cgroup_missing, privileges_missing

LINE = re.compile(r"^(Name|NSpid):\s*(.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Inside:
    """Processes of a container by their numbers outside: its init, and the task's own program once that runs."""

    init: int | None = None
    program: int | None = None


def look_inside(pids: Iterable[int], *, proc: Path = PROC) -> Inside:
    """Among the client and its descendants, from the outermost on.

    `NSpid` has one number per nested PID namespace; 1 in the innermost is the init. Until its child has become the
    program, that has the init's name, and not yet its own restraints."""
    init, name = None, ""
    for pid in pids:
        status = dict(LINE.findall(read_text(proc / str(pid) / "status")))
        numbers = status.get("NSpid", "").split()
        if len(numbers) > 1 and numbers[-1] == "1":
            init, name = pid, status["Name"]
        elif init and len(numbers) > 1 and status["Name"] != name:
            return Inside(init=init, program=pid)
    return Inside(init=init)


def missing_inside(
    task: ContainerTask, *, pid: int, cgroup: Cgroup | None, limited: bool, proc: Path = PROC
) -> tuple[str, ...] | None:
    """Names of what is asked but not in force; None when it cannot be seen (any more)."""
    folder = proc / str(pid)
    network, mounts = read_text(folder / "net/dev"), read_text(folder / "mountinfo")
    if not network or not mounts:
        return None
    missing = []
    if task.network == "none" and interfaces(network) - {"lo"}:
        missing.append("network")
    if not _root_is_read_only(mounts):
        missing.append("read_only")
    if limited:
        missing += cgroup_missing(task, cgroup) if cgroup else ["unverified"]
    return (*missing, *privileges_missing(folder / "status"))


def interfaces(net_dev: str) -> set[str]:
    return {line.partition(":")[0].strip() for line in net_dev.splitlines() if ":" in line}


def _root_is_read_only(mountinfo: str) -> bool:
    """Either the mount or, below an overlay, the file system itself."""
    roots = [line for line in mountinfo.splitlines() if line.split()[4] == "/"]
    if not roots:
        return False
    mount, _, filesystem = roots[-1].partition(" - ")
    return "ro" in mount.split()[5].split(",") or "ro" in filesystem.split()[-1].split(",")
