"""One running task of the `process` engine: a process group, ended as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

from vlmhb.engines.base import TaskExit, Usage
from vlmhb.engines.process_registry import TaskRoot
from vlmhb.engines.processes import family, has_ended, oom_kills, peak_kib
from vlmhb.engines.usage import process_usage

NOT_FOUND = 127
TICK_S = 0.02


class ProcessHandle:
    def __init__(
        self,
        *,
        client: subprocess.Popen[bytes] | None,
        root: TaskRoot | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._root, self._clock = client, root, clock
        self._exit: TaskExit | None = None
        self._stopped = False
        self._peak_kib = 0
        self._oom_kills = oom_kills()

    @staticmethod
    def never_ran(detail: str) -> ProcessHandle:
        handle = ProcessHandle(client=None, root=None)
        handle._exit = TaskExit(code=NOT_FOUND, reason="engine_error", detail=detail)
        return handle

    def poll(self) -> TaskExit | None:
        if self._exit is None and self._client is not None:
            self._sample(self._client.pid)
            if has_ended(self._client.pid):
                self._exit = self._finish(self._client)
        return self._exit

    def terminate(self) -> None:
        if self.poll() is not None or self._client is None:
            return
        self._stopped = True
        with suppress(ProcessLookupError):
            os.killpg(self._client.pid, signal.SIGTERM)

    def stop(self, *, grace_s: float) -> None:
        self.terminate()
        if self._exit is not None or self._client is None:
            return
        deadline = self._clock() + grace_s
        while not has_ended(self._client.pid) and self._clock() < deadline:
            time.sleep(TICK_S)
        self._exit = self._finish(self._client)

    def peak_memory_mib(self) -> float | None:
        return round(self._peak_kib / 1024, 1) if self._peak_kib else None

    def memory_kills(self) -> int:
        """Not known: without a container there is no counter of its own."""
        return 0

    def usage(self) -> Usage | None:
        if self._client is None or self._exit is not None:
            return None
        return process_usage(family(self._client.pid))

    def verify(self) -> tuple[str, ...]:
        """Nothing to read: `render` already names everything that this engine cannot enforce."""
        return ()

    def _finish(self, client: subprocess.Popen[bytes]) -> TaskExit:
        """What the leader left running ends with it, as in a container; only then is the leader reaped."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(client.pid, signal.SIGKILL)
        code = client.wait()
        if self._root is not None:
            self._root.kill()
            self._root.remove()
        killed = code == -signal.SIGKILL and not self._stopped
        out_of_memory = killed and oom_kills() > self._oom_kills
        if out_of_memory:
            detail = "killed while the machine was out of memory"
        else:
            detail = "killed by SIGKILL" if killed else ""
        return TaskExit(
            code=code if code >= 0 else 128 - code,
            reason="oom" if out_of_memory else "stopped" if self._stopped else "exit",
            detail=detail,
            peak_memory_mib=self.peak_memory_mib(),
        )

    def _sample(self, leader: int) -> None:
        self._peak_kib = max(self._peak_kib, sum(peak_kib(pid) for pid in family(leader)))
