"""What a running task has used so far: from its cgroup, or from /proc where it has none of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from vlmhb.engines.base import Usage
from vlmhb.engines.cgroups import PROC, Cgroup, read_text

MIB = 2**20
NANO = 1e9
MICRO = 1e6
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


def cgroup_usage(cgroup: Cgroup) -> Usage:
    """v1 and v2. Memory is what `docker stats` shows: without page cache that could be dropped."""
    read, written = _cgroup_io(cgroup)
    return Usage(
        cpu_s=_cgroup_cpu(cgroup), rss_mib=_cgroup_memory(cgroup), read_mib=read, written_mib=written
    )


def process_usage(pids: Iterable[int], *, proc: Path = PROC) -> Usage:
    """Of all these processes together, with the CPU time of those that they have waited for.

    What the kernel does not show (the I/O of another user's processes) is left out."""
    cpu = rss = read = written = 0.0
    io_seen = False
    for pid in pids:
        fields = read_text(proc / str(pid) / "stat").rpartition(")")[2].split()
        if len(fields) < 22:
            continue  # it has ended meanwhile
        cpu += sum(int(word) for word in fields[11:15]) / TICKS
        rss += int(fields[21]) * PAGE / MIB
        io = _pairs(read_text(proc / str(pid) / "io"), separator=":")
        io_seen = io_seen or bool(io)
        read += io.get("read_bytes", 0) / MIB
        written += io.get("write_bytes", 0) / MIB
    return Usage(
        cpu_s=round(cpu, 3),
        rss_mib=round(rss, 1),
        read_mib=round(read, 2) if io_seen else None,
        written_mib=round(written, 2) if io_seen else None,
    )


def _cgroup_cpu(cgroup: Cgroup) -> float | None:
    nanoseconds = cgroup.own_text("cpuacct", "cpuacct.usage")
    if nanoseconds is not None and nanoseconds.isdigit():
        return round(int(nanoseconds) / NANO, 3)
    microseconds = _pairs(cgroup.own_text("cpu", "cpu.stat") or "").get("usage_usec")
    return round(microseconds / MICRO, 3) if microseconds is not None else None


def _cgroup_memory(cgroup: Cgroup) -> float | None:
    held = cgroup.own_text("memory", "memory.usage_in_bytes") or cgroup.own_text("memory", "memory.current")
    if held is None or not held.isdigit():
        return None
    stat = _pairs(cgroup.own_text("memory", "memory.stat") or "")
    cache = stat.get("total_inactive_file", stat.get("inactive_file", 0))
    return round(max(0, int(held) - cache) / MIB, 1)


def _cgroup_io(cgroup: Cgroup) -> tuple[float | None, float | None]:
    """MiB read from and written to block devices."""
    v1 = cgroup.own_text("blkio", "blkio.throttle.io_service_bytes")
    if v1 is not None:
        lines = [words for line in v1.splitlines() if len(words := line.split()) == 3]
        return _mib(w[2] for w in lines if w[1] == "Read"), _mib(w[2] for w in lines if w[1] == "Write")
    v2 = cgroup.own_text("io", "io.stat")
    if v2 is None:
        return None, None
    pairs = [word.partition("=") for word in v2.split()]
    return _mib(v for k, _, v in pairs if k == "rbytes"), _mib(v for k, _, v in pairs if k == "wbytes")


def _mib(counts: Iterable[str]) -> float:
    return round(sum(int(count) for count in counts) / MIB, 2)


def _pairs(text: str, *, separator: str | None = None) -> dict[str, int]:
    pairs = (line.split(separator) for line in text.splitlines())
    return {pair[0].strip(): int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].strip().isdigit()}
