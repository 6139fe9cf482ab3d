"""Processes that a handle looks after: whether one has ended, its children, and what the kernel counts of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from vlmhb.engines.cgroups import PROC, read_text


def has_ended(pid: int) -> bool:
    """Without reaping it, so that its number (and so its group's) still belongs to us."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def family(pid: int) -> Iterator[int]:
    yield pid
    for thread in (PROC / str(pid) / "task").glob("*/children"):
        for child in read_text(thread).split():
            yield from family(int(child))


def peak_kib(pid: int) -> int:
    found = re.search(r"^VmHWM:\s*(\d+) kB", read_text(PROC / str(pid) / "status"), re.MULTILINE)
    return int(found[1]) if found else 0


def oom_kills() -> int:
    """Processes that the kernel has killed for want of memory since boot."""
    found = re.search(r"^oom_kill (\d+)$", read_text(PROC / "vmstat"), re.MULTILINE)
    return int(found[1]) if found else 0
