"""One running container: what it is doing, how it ended, and which of its limits are in force."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from vlmhb.command import run_command, spawn
from vlmhb.engines.base import ContainerTask, TaskExit, Usage
from vlmhb.engines.cgroups import PROC, Cgroup, find_cgroup
from vlmhb.engines.container_args import CID_FILE
from vlmhb.engines.container_exit import classify, tail
from vlmhb.engines.container_limits import missing_limits
from vlmhb.engines.usage import cgroup_usage

START_S = 60.0  # from the client's start to a container id or an error
CLIENT_END_S = 30.0  # from a container's end to its client's
TICK_S = 0.02


class ContainerHandle:
    """The container is known by the id that the engine wrote; its name can be someone else's."""

    def __init__(
        self,
        *,
        program: str,
        task: ContainerTask,
        client: subprocess.Popen[bytes],
        root: Path,
        log: Path,
        log_start: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._program, self._task, self._client, self._root, self._log = program, task, client, root, log
        self._log_start, self._clock = log_start, clock
        self._exit: TaskExit | None = None
        self._stopped = False
        self._cid = ""
        self._cgroup: Cgroup | None = None
        self._missing: tuple[str, ...] | None = None
        self._peak_bytes: int | None = None
        self._memory_kills = 0

    def poll(self) -> TaskExit | None:
        if self._exit is None:
            self._observe()
            if self._client.poll() is not None:
                self._exit = self._finish()
        return self._exit

    def terminate(self) -> None:
        if self.poll() is not None:
            return
        self._stopped = True
        if cid := self._wait_for_id():
            run_command([self._program, "kill", "--signal", "TERM", cid], timeout_s=CLIENT_END_S)

    def stop(self, *, grace_s: float) -> None:
        if self.poll() is not None:
            return
        self._stopped = True
        cid = self._wait_for_id()
        if cid:
            grace = str(math.ceil(grace_s))
            run_command([self._program, "stop", "-t", grace, cid], timeout_s=grace_s + CLIENT_END_S)
        if not self._client_ended(within_s=CLIENT_END_S if cid else 0):
            self._kill(cid)
        self._exit = self._finish()

    def peak_memory_mib(self) -> float | None:
        return round(self._peak_bytes / 2**20, 1) if self._peak_bytes else None

    def memory_kills(self) -> int:
        if self._cgroup is not None:
            self._memory_kills = max(self._cgroup.memory_kills(), self._memory_kills)
        return self._memory_kills

    def usage(self) -> Usage | None:
        found = self._cgroup
        return cgroup_usage(found) if found is not None and self._exit is None else None

    def verify(self) -> tuple[str, ...]:
        """Waits until the container runs, then compares; `unverified` where its processes are not visible."""
        self._wait_for_id()
        deadline = self._clock() + START_S
        while self._missing is None and not self._client_ended(within_s=TICK_S) and self._clock() < deadline:
            self._observe()
        return self._missing if self._missing is not None else ("unverified",)

    def _observe(self) -> None:
        """Once: find the container's cgroup and compare limits. Every time: sample its peak memory."""
        if self._missing is None and (cid := self._id()):
            found = self._inspect(cid)
            state = found.get("State", {})
            pid = int(state.get("Pid") or 0) if state.get("Running") else 0
            if pid:
                self._cgroup = find_cgroup(pid, marker=cid)
                status = PROC / str(pid) / "status"
                self._missing = missing_limits(
                    self._task, inspected=found, cgroup=self._cgroup, status=status
                )
        if self._cgroup is not None:
            self._peak_bytes = max(self._cgroup.peak_memory_bytes() or 0, self._peak_bytes or 0) or None

    def _finish(self) -> TaskExit | None:
        """The end as the engine saw it, and the container removed. None: only the client has died."""
        cid = self._id()
        found = self._inspect(cid) if cid else {}
        if found.get("State", {}).get("Running") and not self._stopped:
            self._client = spawn(
                [self._program, "attach", "--no-stdin", "--sig-proxy=false", cid],
                log=self._log,
                cwd=self._root,
            )
            return None
        end = classify(
            state=None if cid and not found else found.get("State", {}),
            client_code=self._client.returncode,
            stopped=self._stopped,
            oom_mark=(self._root / "oom").exists(),
            memory_mib=self._task.limits.memory_mib,
            said=tail(self._log, start=self._log_start),
        )
        if cid:
            run_command([self._program, "rm", "--force", "--volumes", cid], timeout_s=60)
        shutil.rmtree(self._root, ignore_errors=True)
        return end.model_copy(update={"peak_memory_mib": self._peak_mib(end)})

    def _peak_mib(self, end: TaskExit) -> float | None:
        """What hit its limit held that much, even if no sample saw it."""
        if end.reason in ("oom", "child_oom") and self._task.limits.memory_mib is not None:
            return float(self._task.limits.memory_mib)
        return self.peak_memory_mib()

    def _id(self) -> str:
        """Kept once read: a cleanup may remove the file together with the container."""
        if not self._cid:
            with suppress(FileNotFoundError):
                self._cid = (self._root / CID_FILE).read_text(encoding="ascii").strip()
        return self._cid

    def _wait_for_id(self) -> str:
        deadline = self._clock() + START_S
        while (
            not (cid := self._id()) and not self._client_ended(within_s=TICK_S) and self._clock() < deadline
        ):
            pass
        return cid or self._id()

    def _client_ended(self, *, within_s: float) -> bool:
        try:
            self._client.wait(timeout=within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _kill(self, cid: str) -> None:
        if cid:
            run_command([self._program, "kill", cid], timeout_s=CLIENT_END_S)
        if not self._client_ended(within_s=CLIENT_END_S if cid else 0):
            self._client.kill()
            self._client.wait()

    def _inspect(self, cid: str) -> dict[str, Any]:
        result = run_command([self._program, "container", "inspect", cid], timeout_s=30)
        try:
            found = json.loads(result.stdout) if result.ok else []
        except ValueError:
            found = []
        return found[0] if found else {}
