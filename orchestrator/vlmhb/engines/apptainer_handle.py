"""One running Apptainer container: a client whose end is the container's end, and what is seen inside meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from vlmhb.engines.apptainer_exit import KILLED, classify
from vlmhb.engines.apptainer_inside import Inside, look_inside, missing_inside
from vlmhb.engines.base import ContainerTask, TaskExit, Usage
from vlmhb.engines.cgroups import Cgroup, find_cgroup
from vlmhb.engines.container_exit import tail
from vlmhb.engines.kernel_log import KernelLog
from vlmhb.engines.process_registry import TaskRoot
from vlmhb.engines.processes import family, has_ended, oom_kills, peak_kib
from vlmhb.engines.usage import cgroup_usage, process_usage

END_S = 5.0  # from the end of the program inside to the client's
START_S = 60.0  # from the client's start to the program inside
TICK_S = 0.02


class ApptainerHandle:
    """`limited`: memory, CPUs and processes are limited by a cgroup that Apptainer made for the container."""

    def __init__(
        self,
        *,
        task: ContainerTask,
        client: subprocess.Popen[bytes],
        root: TaskRoot,
        log: Path,
        log_start: int,
        limited: bool,
        family_name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._task, self._client, self._root, self._log, self._log_start = task, client, root, log, log_start
        self._limited, self._family_name, self._clock = limited, family_name, clock
        self._exit: TaskExit | None = None
        self._stopped = False
        self._inside = Inside()
        self._cgroup: Cgroup | None = None
        self._missing: tuple[str, ...] | None = None
        self._peak_kib = 0
        self._memory_kills = 0
        self._kernel, self._oom_kills = KernelLog(), oom_kills()

    def poll(self) -> TaskExit | None:
        if self._exit is None:
            self._observe()
            if has_ended(self._client.pid):
                self._exit = self._finish()
        return self._exit

    def terminate(self) -> None:
        """The client hands SIGTERM on to the program; the rest of its group must not get it as well."""
        if self.poll() is None:
            self._stopped = True
            with suppress(ProcessLookupError):
                os.kill(self._client.pid, signal.SIGTERM)

    def stop(self, *, grace_s: float) -> None:
        self.terminate()
        if self._exit is not None:
            return
        if not self._client_ended(within_s=grace_s) and (program := self._inside.program):
            with suppress(ProcessLookupError):
                os.kill(program, signal.SIGKILL)
            self._client_ended(within_s=END_S)
        self._exit = self._finish()

    def peak_memory_mib(self) -> float | None:
        return round(self._peak_kib / 1024, 1) if self._peak_kib else None

    def memory_kills(self) -> int:
        if self._cgroup is not None:
            self._memory_kills = max(self._cgroup.memory_kills(), self._memory_kills)
        return self._memory_kills

    def usage(self) -> Usage | None:
        if self._exit is not None or self._inside.init is None:
            return None
        return cgroup_usage(self._cgroup) if self._cgroup else process_usage(family(self._client.pid))

    def verify(self) -> tuple[str, ...]:
        """Waits until the program runs inside; `unverified` where it has ended first or cannot be seen."""
        deadline = self._clock() + START_S
        while self._missing is None and self._clock() < deadline and not has_ended(self._client.pid):
            self._observe()
            time.sleep(TICK_S)
        return self._missing if self._missing is not None else ("unverified",)

    def _client_ended(self, *, within_s: float) -> bool:
        """Left to itself after its program, it takes away the container's cgroup and mounts."""
        deadline = self._clock() + within_s
        while not (ended := has_ended(self._client.pid)) and self._clock() < deadline:
            time.sleep(TICK_S)
        return ended

    def _observe(self) -> None:
        """Once: find the program inside and compare what it has. Every time: sample its peak memory."""
        if self._inside.program is None:
            self._inside = look_inside(family(self._client.pid))
        if self._limited and self._cgroup is None and self._inside.init is not None:
            self._cgroup = find_cgroup(self._inside.init, marker=self._family_name)
        if self._missing is None and self._inside.program is not None:
            self._missing = missing_inside(
                self._task, pid=self._inside.program, cgroup=self._cgroup, limited=self._limited
            )
        if self._cgroup is not None:
            self._peak_kib = max(self._peak_kib, (self._cgroup.peak_memory_bytes() or 0) // 1024)
            self.memory_kills()
        elif self._inside.program is not None:
            self._peak_kib = max(self._peak_kib, sum(map(peak_kib, family(self._inside.program))))

    def _finish(self) -> TaskExit:
        """The group is ended while its leader's number is still ours; without its init a container is gone."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._client.pid, signal.SIGKILL)
        code = self._client.wait()
        vanished = not self._root.path.exists()
        self._root.kill()
        self._root.remove()
        if self._cgroup is not None:
            self._cgroup.remove()
        code = code if code >= 0 else 128 - code
        end = classify(
            code=code,
            ran=self._inside.program is not None,
            vanished=vanished,
            stopped=self._stopped,
            memory_kill=self._memory_kill(code),
            limit_mib=self._limit_mib,
            said=tail(self._log, start=self._log_start),
        )
        self._kernel.close()
        return end.model_copy(update={"peak_memory_mib": self._peak_mib(end)})

    def _memory_kill(self, code: int) -> bool:
        """By the cgroup's own count, or by the kernel's log where the cgroup went with its last process.

        Where neither can be read, a program that was killed while the kernel killed for memory."""
        logged = any(self._is_mine(name) for name in self._kernel.memory_cgroups())
        killed = code == KILLED and oom_kills() > self._oom_kills
        return bool(self._memory_kills) or logged or killed

    def _is_mine(self, cgroup: str) -> bool:
        """The container's own cgroup has the number of its init in its name."""
        number = re.search(rf"{self._family_name}\D*(\d+)(\.scope)?$", cgroup)
        return number is not None and int(number[1]) == self._inside.init

    @property
    def _limit_mib(self) -> int | None:
        return self._task.limits.memory_mib if self._limited else None

    def _peak_mib(self, end: TaskExit) -> float | None:
        """What hit its limit held that much, even if no sample saw it."""
        if end.reason in ("oom", "child_oom") and self._limit_mib is not None:
            return float(self._limit_mib)
        return self.peak_memory_mib()
