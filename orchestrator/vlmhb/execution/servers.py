"""The model servers beside a driver: leased GPUs, one or several copies, kept for all benchmarks of a model."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmhb.engines.base import ContainerTask, Handle, Mount
from vlmhb.execution import server_log
from vlmhb.execution.replica import Replica, ReplicaPlan, facts_of
from vlmhb.execution.server_config import ServerRequest, lowered_batch, server_task, write_config
from vlmhb.execution.session import Session
from vlmhb.execution.stages import Companion
from vlmhb.resources.need import GpuNeed
from vlmhb.resources.pool import Leased
from vlmhb.store.artifacts import own_by
from vlmhb.store.locks import ArtifactLock
from vlmhb.store.private import private_folder

SOCKETS = "vlmhb-sock-"


class ServerGroup(Companion):
    """Copies of one model server; each is restarted on its own, and the driver goes on with those that live."""

    def __init__(self, session: Session, request: ServerRequest, *, replicas: list[Replica], leased: Leased):
        self._session, self._request = session, request
        self._replicas, self._leased = replicas, leased
        self._done = 0

    def begin(self) -> None:
        self._done = 0
        for replica in self._replicas:
            replica.begin()

    def mounts(self) -> tuple[Mount, ...]:
        return tuple(
            Mount(source=replica.plan.folder, target=f"/vlmhb/sock/{replica.plan.number}")
            for replica in self._replicas
        )

    def tick(self) -> None:
        for replica in self._replicas:
            replica.tick()

    def on_event(self, event: dict[str, Any]) -> None:
        if event.get("type") == "progress" and int(event.get("done", 0)) > self._done:
            self._done = int(event["done"])
            for replica in self._replicas:
                replica.answered()
        elif event.get("type") == "restart_server":
            number = int(event.get("server") or 0)
            if number < len(self._replicas):
                self._replicas[number].restart(str(event.get("reason")))

    def facts(self) -> dict[str, Any]:
        driver = {"gpu_driver": self._leased.driver} if self._leased.driver else {}
        return {**facts_of(self._replicas), **driver, "warnings": self._warnings()}

    def leased(self) -> Leased:
        return self._leased

    def handles(self) -> Mapping[str, Handle]:
        running = {f"server-{one.plan.number}": one.handle for one in self._replicas}
        return {role: handle for role, handle in running.items() if handle is not None}

    def stop(self) -> None:
        """All of them at once: each may take its seconds to end."""
        if len(self._replicas) > 1:
            for replica in self._replicas:
                replica.terminate()
        for replica in self._replicas:
            replica.stop()

    def _warnings(self) -> list[str]:
        told = [
            f"server {replica.plan.number}: {text}" if len(self._replicas) > 1 else text
            for replica in self._replicas
            for text in replica.warnings()
        ]
        level = max(replica.oom_level for replica in self._replicas)
        if level:
            batch = lowered_batch(self._request, oom_level=level)
            what = (
                f"max_batch lowered to {batch}"
                if batch
                else f"max_batch lowered to 1/{2**level} of the model's"
            )
            told.append(f"{what}: the model server ran out of memory")
        return told


@contextmanager
def model_server(session: Session, request: ServerRequest, *, need: GpuNeed) -> Iterator[ServerGroup]:
    """Servers for a model, alone on its identity in this workspace: a second run waits for its turn.

    The first stage that really runs starts them: what another run has made meanwhile loads no model."""
    name = request.model.name

    def waiting(holder: str) -> None:
        session.progress.message(f"{name}: waiting for the model server of {holder}")

    def waiting_for_gpus(what: str) -> None:
        session.progress.message(f"{name}: {what}")

    def should_stop() -> bool:
        return session.stop.draining

    lock = session.workspace.server_file(request.identity, suffix=".lock")
    with ArtifactLock(lock, waiting=waiting, should_stop=should_stop):
        session.cleanup(model=request.identity[:24])
        lease = session.gpus.lease(
            need, engine=session.engine, run=session.run_id, waiting=waiting_for_gpus, should_stop=should_stop
        )
        with lease as leased, private_folder(Path(tempfile.gettempdir()), stem=SOCKETS) as base:
            replicas = [
                _replica(session, request, number=number, leased=leased, base=base)
                for number in range(len(leased.copies))
            ]
            group = ServerGroup(session, request, replicas=replicas, leased=leased)
            own_by(base, user=session.user)
            with server_log.bounded([replica.plan.log for replica in replicas]):
                try:
                    yield group
                finally:
                    group.stop()


def _replica(session: Session, request: ServerRequest, *, number: int, leased: Leased, base: Path) -> Replica:
    def file(suffix: str) -> Path:
        stem = f"-{number}" if number else ""
        return session.workspace.server_file(request.identity, suffix=f"{stem}{suffix}")

    folder = base / str(number)
    folder.mkdir(mode=0o700)
    own_by(folder, user=session.user)
    log = file(".log")
    log.unlink(missing_ok=True)
    configured = _Configured(
        session=session,
        request=request,
        number=number,
        copies=len(leased.copies),
        config=file(".json"),
        folder=folder,
        gpus=tuple(gpu.uuid for gpu in leased.copies[number]),
    )
    plan = ReplicaPlan(
        number=number,
        folder=folder,
        log=log,
        configure=configured.at,
        lowers_batch="batch" in request.model.on_oom,
        alone=len(leased.copies) == 1,
    )
    return Replica(session, plan)


@dataclass(frozen=True, kw_only=True)
class _Configured:
    """The container of one copy at any out-of-memory level, with its config written."""

    session: Session
    request: ServerRequest
    number: int
    copies: int
    config: Path
    folder: Path
    gpus: tuple[str, ...]

    def at(self, level: int) -> ContainerTask:
        write_config(self.config, self.request, gpus=len(self.gpus), oom_level=level)
        return server_task(
            self.session,
            self.request,
            number=self.number,
            copies=self.copies,
            config=self.config,
            folder=self.folder,
            gpus=self.gpus,
            oom_level=level,
        )
