"""One copy of a model server: started, restarted with back-off when it dies, given up when that is of no use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmhb.engines.base import ContainerTask, Handle, TaskExit
from vlmhb.execution import server_log
from vlmhb.execution.session import Session
from vlmhb.store.files import write_atomic

EXIT_LOAD_FAILED = 3
MAX_IDLE_RESTARTS = 4  # restarts without a single answer in between
LONG_LIFE_S = 600.0  # one of several copies that has lived so long is not dying in a circle
MAX_OOM_LEVEL = 8  # each halves the batch
MEMORY_HINT = "raise limits.memory_mib in the card"
FAILED = "failed"  # file in the socket folder: the driver stops waiting


@dataclass(frozen=True, kw_only=True)
class ReplicaPlan:
    """What one copy is started from. `configure` writes its config for an out-of-memory level; its container is given.

    `alone`: the only copy, so that every answer is its own."""

    number: int
    folder: Path  # of its socket
    log: Path
    configure: Callable[[int], ContainerTask]
    lowers_batch: bool = False
    alone: bool = True


class Replica:
    def __init__(self, session: Session, plan: ReplicaPlan) -> None:
        self._session, self.plan = session, plan
        self.task = plan.configure(0)
        self._handle: Handle | None = None
        self._cannot_load = False
        self._given_up = False
        self._lowered = False  # in this life: its log goes on saying so until it has ended
        self._idle_restarts = 0
        self._next_start = 0.0
        self._started = 0.0
        self._log_start = 0
        self._not_enforced: tuple[str, ...] = ()
        self._deaths: Counter[str] = Counter()
        self._kills_before = 0
        self.oom_level = 0
        self.restarts = 0
        self.peak: float | None = None

    @property
    def name(self) -> str:
        return self.task.name

    @property
    def handle(self) -> Handle | None:
        return self._handle

    @property
    def not_enforced(self) -> tuple[str, ...]:
        rendered = self._session.engine.render(self.task, root=self.plan.folder)
        return (*rendered.not_enforced, *self._not_enforced)

    def begin(self) -> None:
        """A crash over one benchmark is no reason to give up on the next one; a failed load is."""
        self._idle_restarts = 0
        self._deaths.clear()
        self._kills_before = self._handle.memory_kills() if self._handle is not None else 0
        if not self._cannot_load and self._given_up:
            (self.plan.folder / FAILED).unlink(missing_ok=True)
            self._given_up, self._next_start = False, 0.0

    def terminate(self) -> None:
        if self._handle is not None:
            self._handle.terminate()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.stop(grace_s=0.5 if self._session.stop.killing else 5.0)
            self.note_peak()

    def answered(self) -> None:
        """The driver got further. With several copies nobody knows whose answer it was: see `LONG_LIFE_S`."""
        if self.plan.alone:
            self._idle_restarts = 0

    def restart(self, reason: str) -> None:
        """The driver found it hung, or out of memory (`reason` `oom`) although it lives."""
        if self._handle is None:
            return
        if reason == "oom":
            self._lower_batch()
        self._session.progress.message(f"{self.name}: restarted ({reason})")
        self._handle.stop(grace_s=0.5)

    def tick(self) -> None:
        """Start it, and again with back-off when it has died, until it dies too often without an answer."""
        if self._handle is None:
            if not self._given_up and self._session.clock() >= self._next_start:
                self._start()
            return
        ended = self._handle.poll()
        if ended is not None:
            self.note_peak()
            self._handle, self._kills_before = None, 0
            self._died(ended)

    def warnings(self) -> list[str]:
        """What happened since `begin` that makes answers doubtful, and what was lowered for want of memory."""
        told = [f"the model server died {n} time(s): {reason}" for reason, n in sorted(self._deaths.items())]
        kills = self._handle.memory_kills() - self._kills_before if self._handle is not None else 0
        if kills > 0:
            told.append(f"{kills} process(es) of the model were killed for memory: {MEMORY_HINT}")
        return told

    def note_peak(self) -> None:
        if self._handle is not None:
            self.peak = max(self.peak or 0.0, self._handle.peak_memory_mib() or 0.0) or None

    def _start(self) -> None:
        self._log_start = server_log.size(self.plan.log)
        self._started, self._lowered = self._session.clock(), False
        self._handle = self._session.scheduler.start(
            self.task, engine=self._session.engine, log=self.plan.log
        )
        self._not_enforced = self._handle.verify()

    def _died(self, ended: TaskExit) -> None:
        if not self.plan.alone and self._session.clock() - self._started >= LONG_LIFE_S:
            self._idle_restarts = 0
        self._idle_restarts += 1
        killed = ended.reason in ("oom", "child_oom")
        reason = f"killed for memory ({MEMORY_HINT})" if killed else f"exit code {ended.code}"
        words = server_log.own_words(self.plan.log, start=self._log_start)
        described = f"{reason}: {words}" if words else reason
        self._deaths[described] += 1
        lowered = self._out_of_memory(killed=killed) and self._lower_batch()
        self._cannot_load = ended.code == EXIT_LOAD_FAILED and not lowered
        if self._cannot_load or self._idle_restarts > MAX_IDLE_RESTARTS:
            self._give_up(reason)
            return
        self.restarts += 1
        self._next_start = self._session.clock() + min(0.2 * 2**self._idle_restarts, 30.0)
        self._session.progress.message(f"{self.name}: the model server died ({described}), starting it again")

    def _out_of_memory(self, *, killed: bool) -> bool:
        return killed or server_log.ran_out_of_memory(self.plan.log, start=self._log_start)

    def _lower_batch(self) -> bool:
        """One level down for the next start, if the card allows it and there is one."""
        if self._lowered:
            return True
        if not self.plan.lowers_batch or self.oom_level >= MAX_OOM_LEVEL:
            return False
        self.oom_level += 1
        self.task = self.plan.configure(self.oom_level)
        self._lowered = True
        return True

    def _give_up(self, reason: str) -> None:
        self._given_up = True
        told = (reason, server_log.last_words(self.plan.log), f"log {self.plan.log}")
        text = "; ".join(part for part in told if part)
        # by a rename: the model may write in this folder, and a link that it left must not lead us elsewhere
        write_atomic(self.plan.folder / FAILED, text.encode())


def facts_of(replicas: list[Replica]) -> dict[str, Any]:
    """What the copies have in common: sums, the highest peak, everything that one of them lacks."""
    peaks = []
    for replica in replicas:
        replica.note_peak()
        peaks.append(replica.peak or 0.0)
    return {
        "server_restarts": sum(replica.restarts for replica in replicas),
        "not_enforced": sorted({name for replica in replicas for name in replica.not_enforced}),
        "server_peak_memory_mib": max(peaks) or None,
        "gpus": [gpu for replica in replicas for gpu in replica.task.gpus],
    }
