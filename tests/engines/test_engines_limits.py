"""Limits that are not in force are named: read from cgroup trees of every kind, and from real status text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from vlmhb.engines.base import ContainerTask, ImageSpec, Limits, Usage
from vlmhb.engines.cgroups import Cgroup, LiveLimits, find_cgroup
from vlmhb.engines.container_limits import missing_limits
from vlmhb.engines.usage import cgroup_usage

PID = 4321
MIB = 1 << 20
FINE = {"HostConfig": {"NetworkMode": "none", "ReadonlyRootfs": True}}
STATUS = "CapEff:\t{caps}\nCapBnd:\t{caps}\nNoNewPrivs:\t{nnp}\n"
TASK = ContainerTask(
    name="t",
    image=ImageSpec(name="i", ref="i", identity="i"),
    command=("true",),
    limits=Limits(memory_mib=64, cpus=0.5, pids=32),
)


def tree(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def v1(root: Path) -> Cgroup | None:
    lines = "9:name=systemd:/docker/c1\n4:memory:/docker/c1\n3:pids:/docker/c1\n2:cpu,cpuacct:/docker/c1\n0::/docker/c1"
    tree(
        root,
        {
            f"proc/{PID}/cgroup": lines,
            "sys/memory/docker/c1/memory.limit_in_bytes": str(64 * MIB),
            "sys/memory/docker/c1/memory.max_usage_in_bytes": "12345",
            "sys/memory/memory.limit_in_bytes": "9223372036854771712",
            "sys/pids/docker/c1/pids.max": "32",
            "sys/pids/docker/pids.max": "max",
            "sys/cpu,cpuacct/docker/c1/cpu.cfs_quota_us": "50000",
            "sys/cpu,cpuacct/docker/c1/cpu.cfs_period_us": "100000",
            "sys/cpu,cpuacct/cpu.cfs_quota_us": "-1",
            "sys/cpu,cpuacct/cpu.cfs_period_us": "100000",
            "sys/unified/docker/c1/cgroup.procs": "",
        },
    )
    return find_cgroup(PID, marker="c1", proc=root / "proc", sys=root / "sys")


def v2(root: Path) -> Cgroup | None:
    """Podman puts the processes one level below the group that has the limits."""
    tree(
        root,
        {
            f"proc/{PID}/cgroup": "0::/machine.slice/libpod-c1.scope/container",
            "sys/cgroup.controllers": "cpu memory pids",
            "sys/machine.slice/libpod-c1.scope/memory.max": str(64 * MIB),
            "sys/machine.slice/libpod-c1.scope/pids.max": "32",
            "sys/machine.slice/libpod-c1.scope/cpu.max": "50000 100000",
            "sys/machine.slice/libpod-c1.scope/container/memory.max": "max",
            "sys/machine.slice/libpod-c1.scope/container/memory.peak": "12345",
            "sys/machine.slice/libpod-c1.scope/container/cpu.max": "max 100000",
        },
    )
    return find_cgroup(PID, marker="c1", proc=root / "proc", sys=root / "sys")


@pytest.mark.parametrize("kind", [v1, v2])
def test_limits_and_peak_of_every_cgroup_kind(kind, tmp_path: Path) -> None:
    cgroup = kind(tmp_path)
    assert cgroup.limits() == LiveLimits(memory_bytes=64 * MIB, pids=32, cpus=0.5)
    assert cgroup.peak_memory_bytes() == 12345


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        (v1, "sys/memory/docker/c1/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2"),
        (
            v2,
            "sys/machine.slice/libpod-c1.scope/container/memory.events",
            "oom 5\noom_kill 2\noom_group_kill 0",
        ),
    ],
)
def test_memory_kills_are_counted(
    kind: Callable[[Path], Cgroup], name: str, text: str, tmp_path: Path
) -> None:
    cgroup = kind(tmp_path)
    assert cgroup.memory_kills() == 0
    tree(tmp_path, {name: text})
    assert cgroup.memory_kills() == 2


def test_another_containers_cgroup_is_not_taken(tmp_path: Path) -> None:
    v1(tmp_path)
    assert find_cgroup(PID, marker="c2", proc=tmp_path / "proc", sys=tmp_path / "sys") is None
    assert find_cgroup(1, marker="c1", proc=tmp_path / "proc", sys=tmp_path / "sys") is None


def test_limits_in_force_are_not_named(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(STATUS.format(caps="0" * 16, nnp=1))
    assert missing_limits(TASK, inspected=FINE, cgroup=v2(tmp_path), status=status) == ()


def test_ignored_limits_are_named(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(STATUS.format(caps="00000000a80425fb", nnp=0))
    tree(tmp_path, {f"proc/{PID}/cgroup": "0::/c1", "sys/cgroup.controllers": "", "sys/c1/memory.max": "max"})
    cgroup = find_cgroup(PID, marker="c1", proc=tmp_path / "proc", sys=tmp_path / "sys")
    loose = {"HostConfig": {"NetworkMode": "bridge", "ReadonlyRootfs": False}}
    named = missing_limits(TASK, inspected=loose, cgroup=cgroup, status=status)
    assert named == ("network", "read_only", "memory", "pids", "cpus", "capabilities", "no_new_privileges")


def test_invisible_processes_are_unverified(tmp_path: Path) -> None:
    assert missing_limits(TASK, inspected=FINE, cgroup=None, status=tmp_path) == ("unverified",)


def test_what_was_not_asked_is_not_missed(tmp_path: Path) -> None:
    free = TASK.model_copy(update={"limits": Limits(pids=None), "network": "egress"})
    tree(tmp_path, {f"proc/{PID}/cgroup": "0::/c1", "sys/cgroup.controllers": "", "sys/c1/memory.max": "max"})
    cgroup = find_cgroup(PID, marker="c1", proc=tmp_path / "proc", sys=tmp_path / "sys")
    bridge = {"HostConfig": {"NetworkMode": "bridge", "ReadonlyRootfs": True}}
    assert missing_limits(free, inspected=bridge, cgroup=cgroup, status=tmp_path / "gone") == ()


def test_use_of_resources_by_a_cgroup_of_each_kind(tmp_path: Path) -> None:
    own = "sys/machine.slice/libpod-c1.scope/container"
    blkio = "8:0 Read 3145728\n8:0 Write 1048576\n8:0 Total 4194304\n8:16 Read 1048576\nTotal 5242880"
    new = v2(tmp_path / "2")
    tree(
        tmp_path / "1",
        {
            f"proc/{PID}/cgroup": "4:memory:/docker/c1\n2:cpu,cpuacct:/docker/c1\n1:blkio:/docker/c1",
            "sys/cpu,cpuacct/docker/c1/cpuacct.usage": "1500000000",
            "sys/memory/docker/c1/memory.usage_in_bytes": str(100 * MIB),
            "sys/memory/docker/c1/memory.stat": f"cache 1\ninactive_file 7\ntotal_inactive_file {40 * MIB}",
            "sys/blkio/docker/c1/blkio.throttle.io_service_bytes": blkio,
        },
    )
    tree(
        tmp_path / "2",
        {
            f"{own}/cpu.stat": "usage_usec 2500000\nuser_usec 1",
            f"{own}/memory.current": str(50 * MIB),
            f"{own}/memory.stat": f"anon 1\ninactive_file {20 * MIB}",
            f"{own}/io.stat": "8:0 rbytes=2097152 wbytes=1048576 rios=3\n8:16 rbytes=1048576 wbytes=0",
        },
    )
    old = find_cgroup(PID, marker="c1", proc=tmp_path / "1/proc", sys=tmp_path / "1/sys")
    assert old is not None and new is not None
    assert cgroup_usage(old) == Usage(cpu_s=1.5, rss_mib=60, read_mib=4, written_mib=1)
    assert cgroup_usage(new) == Usage(cpu_s=2.5, rss_mib=30, read_mib=3, written_mib=1)


def test_use_that_the_kernel_does_not_count_is_not_told(tmp_path: Path) -> None:
    bare = v2(tmp_path)
    assert bare is not None
    assert cgroup_usage(bare) == Usage()
