"""Which limits a container was to have and does not have: some engines ignore them without a word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmhb.engines.base import ContainerTask
from vlmhb.engines.cgroups import Cgroup

TOLERANCE = 1.01  # kernels round to pages and to whole microseconds


def missing_limits(
    task: ContainerTask, *, inspected: Mapping[str, Any], cgroup: Cgroup | None, status: Path
) -> tuple[str, ...]:
    """Names of what is asked but not in force. `status`: `/proc/PID/status` of its first process."""
    missing = [*_host_config(task, inspected.get("HostConfig", {}))]
    if cgroup is None:
        return (*missing, "unverified")
    return (*missing, *cgroup_missing(task, cgroup), *privileges_missing(status))


def _host_config(task: ContainerTask, config: Mapping[str, Any]) -> list[str]:
    missing = []
    if task.network == "none" and config.get("NetworkMode") != "none":
        missing.append("network")
    if not config.get("ReadonlyRootfs"):
        missing.append("read_only")
    return missing


def cgroup_missing(task: ContainerTask, cgroup: Cgroup) -> list[str]:
    live = cgroup.limits()
    asked = task.limits
    memory = asked.memory_mib * 2**20 if asked.memory_mib is not None else None
    pairs = {
        "memory": (memory, live.memory_bytes),
        "pids": (asked.pids, live.pids),
        "cpus": (asked.cpus, live.cpus),
    }
    return [
        name
        for name, (wanted, found) in pairs.items()
        if wanted is not None and (found is None or found > wanted * TOLERANCE)
    ]


def privileges_missing(status: Path) -> list[str]:
    try:
        text = status.read_text(encoding="utf-8")
    except OSError:
        return []  # it has ended: nothing left to restrain
    found = dict(re.findall(r"^(CapEff|CapBnd|NoNewPrivs):\s*(\w+)$", text, re.MULTILINE))
    missing = []
    if int(found.get("CapEff", "0"), 16) or int(found.get("CapBnd", "0"), 16):
        missing.append("capabilities")
    if found.get("NoNewPrivs", "1") != "1":
        missing.append("no_new_privileges")
    return missing
