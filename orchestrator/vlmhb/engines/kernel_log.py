"""The kernel's own log of memory kills: it names the cgroup also when that is gone a moment later."""

from __future__ import annotations

import os
import re
from pathlib import Path

LOG = Path("/dev/kmsg")
RECORD_BYTES = 8192
MEMORY_CGROUP = re.compile(r"oom-kill:constraint=CONSTRAINT_MEMCG.*?oom_memcg=([^,]+),")


class KernelLog:
    """What is logged from now on. Ordinary users may mostly not read it: then nothing is ever found."""

    def __init__(self, path: Path = LOG) -> None:
        try:
            self._file: int | None = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            os.lseek(self._file, 0, os.SEEK_END)
        except OSError:
            self._file = None

    def memory_cgroups(self) -> tuple[str, ...]:
        """Cgroups in which a process was killed for memory, one entry per kill, since this was last asked."""
        found: list[str] = []
        while self._file is not None:
            try:
                record = os.read(self._file, RECORD_BYTES).decode("utf-8", "replace")
            except BrokenPipeError:  # the oldest records were overwritten before they were read
                continue
            except OSError:
                break
            if not record:
                break
            found += MEMORY_CGROUP.findall(record)
        return tuple(found)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
