"""What every part of a running run shares, and how it is told to stop."""

from __future__ import annotations

import os
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from vlmhb.engines.base import Engine
from vlmhb.progress import ProgressView
from vlmhb.resources.pool import GpuPool
from vlmhb.schedulers.base import Scheduler
from vlmhb.store.locks import owner_name, process_start
from vlmhb.store.manifest import Manifest
from vlmhb.store.responses import ResponseCache
from vlmhb.store.view import WorkspaceView
from vlmhb.store.workspace import Workspace

LABEL = "org.vlmhb"


class StopSignal:
    """Counts the user's wishes to stop: the first drains, the second kills."""

    def __init__(self) -> None:
        self._count = 0

    def request(self) -> None:
        self._count += 1

    @property
    def draining(self) -> bool:
        return self._count >= 1

    @property
    def killing(self) -> bool:
        return self._count >= 2


@dataclass(frozen=True, kw_only=True)
class Session:
    """One `vlmhb run`. `user` is the uid:gid that containers run as.

    `made`: artifacts by fingerprint that this run has made: it makes none twice, failed samples or not."""

    run_id: str
    workspace: Workspace
    view: WorkspaceView
    engine: Engine
    scheduler: Scheduler
    kit_path: Path
    user: str
    progress: ProgressView
    stop: StopSignal = field(default_factory=StopSignal)
    hung_after_s: float = 120.0
    tick_s: float = 0.05
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    host: str = field(default_factory=socket.gethostname)
    made: dict[str, Manifest] = field(default_factory=dict)
    responses: ResponseCache | None = None
    gpus: GpuPool = field(default_factory=GpuPool)
    sample_hz: float = 2.0  # how often use of resources is looked at while a model infers; 0 = never

    def labels(self, **extra: str) -> dict[str, str]:
        """Labels of a container of this run; `cleanup` finds it again by the workspace and `extra`."""
        pid = os.getpid()
        own = {
            f"{LABEL}.workspace": self.workspace.id,
            f"{LABEL}.run": self.run_id,
            f"{LABEL}.owner": owner_name(host=self.host, pid=pid, start=process_start(pid)),
        }
        return {**own, **{f"{LABEL}.{key}": value for key, value in extra.items()}}

    def cleanup(self, **extra: str) -> int:
        """Kill what a dead run has left behind for the same artifact or model."""
        labels = {f"{LABEL}.workspace": self.workspace.id}
        labels.update({f"{LABEL}.{key}": value for key, value in extra.items()})
        return self.engine.cleanup(labels=labels)


@contextmanager
def stop_on_signals(stop: StopSignal) -> Iterator[None]:
    """Ctrl-C, SIGTERM or a terminal that is closed, once: let requests in flight finish, then stop; twice: kill own
    containers. SIGHUP that is ignored already (`nohup`) stays so."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.request()
        if stop.killing:
            _say(b"stopping now: killing own containers\n")
        else:
            _say(
                b"stopping: requests in flight are finished first; once more kills (resume with the same command)\n"
            )

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(line: bytes) -> None:
    """Where the terminal is gone, what else is said there must not break the end of the run."""
    try:
        os.write(2, line)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            if stat.S_ISCHR(os.fstat(number).st_mode):  # no file, pipe or socket: those are still there
                os.dup2(nowhere, number)
        os.close(nowhere)
