"""The model server beside a driver: started once per model, kept for all its benchmarks, restarted when it dies."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vlmhb.engines.base import ContainerTask, Handle, ImageSpec, Limits, Mount
from vlmhb.execution.session import Session
from vlmhb.execution.stages import Companion
from vlmhb.modelcard import ModelCard
from vlmhb.store.artifacts import own_by
from vlmhb.store.files import write_atomic
from vlmhb.store.locks import ArtifactLock
from vlmhb.store.private import private_folder

EXIT_LOAD_FAILED = 3
MAX_IDLE_RESTARTS = 4  # restarts without a single answer in between
SOCKETS = "vlmhb-sock-"
MEMORY_HINT = "raise limits.memory_mib in the card"
MAX_LOG = 64 * 2**20  # bytes; a model that prints without end must not fill the disk
KEPT_LOG = 2**20
FAILED = "failed"  # file in the socket folder: the driver stops waiting


class ModelServer(Companion):
    """One server container and its private socket folder."""

    def __init__(self, *, session: Session, task: ContainerTask, folder: Path, log: Path) -> None:
        self._session = session
        self._task = task
        self._folder = folder
        self._log = log
        self._handle: Handle | None = None
        self._cannot_load = False
        self._idle_restarts = 0
        self._done = 0
        self._restarts = 0
        self._next_start = 0.0
        self._not_enforced: tuple[str, ...] = ()
        self._peak: float | None = None
        self._deaths: Counter[str] = Counter()
        self._kills_before = 0

    def begin(self) -> None:
        """A crash over one benchmark is no reason to give up on the next one; a failed load is."""
        self._done, self._idle_restarts = 0, 0
        self._deaths.clear()
        self._kills_before = self._handle.memory_kills() if self._handle is not None else 0
        if not self._cannot_load and (self._folder / FAILED).exists():
            (self._folder / FAILED).unlink()
            self._next_start = 0.0

    def _start(self) -> None:
        self._handle = self._session.scheduler.start(self._task, engine=self._session.engine, log=self._log)
        self._not_enforced = self._handle.verify()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.stop(grace_s=0.5 if self._session.stop.killing else 5.0)
            self._note_peak(self._handle)

    def mounts(self) -> tuple[Mount, ...]:
        return (Mount(source=self._folder, target="/vlmhb/sock/0"),)

    def facts(self) -> dict[str, Any]:
        if self._handle is not None:
            self._note_peak(self._handle)
        rendered = self._session.engine.render(self._task, root=self._folder)
        unenforced = {*rendered.not_enforced, *self._not_enforced}
        return {
            "server_restarts": self._restarts,
            "not_enforced": sorted(unenforced),
            "server_peak_memory_mib": self._peak,
            "gpus": list(self._task.gpus),
            "warnings": self._warnings(),
        }

    def _warnings(self) -> list[str]:
        """What happened since `begin` that makes answers doubtful."""
        told = [
            f"the model server died {count} time(s): {reason}"
            for reason, count in sorted(self._deaths.items())
        ]
        kills = self._handle.memory_kills() - self._kills_before if self._handle is not None else 0
        if kills > 0:
            told.append(f"{kills} process(es) of the model were killed for memory: {MEMORY_HINT}")
        return told

    def on_event(self, event: dict[str, Any]) -> None:
        if event.get("type") == "progress" and int(event.get("done", 0)) > self._done:
            self._done = int(event["done"])
            self._idle_restarts = 0
        elif event.get("type") == "restart_server" and self._handle is not None:
            self._session.progress.message(f"{self._task.name}: restarted ({event.get('reason')})")
            self._handle.stop(grace_s=0.5)

    def tick(self) -> None:
        """Start it, and again with back-off when it has died, until it dies too often without an answer."""
        if self._handle is None:
            if self._session.clock() >= self._next_start:
                self._start()
            return
        _bound(self._log)
        ended = self._handle.poll()
        if ended is None:
            return
        self._note_peak(self._handle)
        self._handle, self._kills_before = None, 0
        self._idle_restarts += 1
        out_of_memory = ended.reason in ("oom", "child_oom")
        reason = f"killed for memory ({MEMORY_HINT})" if out_of_memory else f"exit code {ended.code}"
        self._deaths[reason] += 1
        self._cannot_load = ended.code == EXIT_LOAD_FAILED
        if self._cannot_load or self._idle_restarts > MAX_IDLE_RESTARTS:
            self._give_up(reason)
            return
        self._restarts += 1
        self._next_start = self._session.clock() + min(0.2 * 2**self._idle_restarts, 30.0)
        self._session.progress.message(
            f"{self._task.name}: the model server died ({reason}), starting it again"
        )

    def _note_peak(self, handle: Handle) -> None:
        self._peak = max(self._peak or 0.0, handle.peak_memory_mib() or 0.0) or None

    def _give_up(self, reason: str) -> None:
        self._next_start = float("inf")
        told = (reason, _last_words(self._log), f"log {self._log}")
        (self._folder / FAILED).write_text("; ".join(part for part in told if part))


@contextmanager
def model_server(
    session: Session,
    *,
    model: ModelCard,
    identity: str,
    image: ImageSpec,
    mounts: tuple[Mount, ...],
    weights: str | None,
    gpus: tuple[str, ...],
    batch_size: int | None,
) -> Iterator[ModelServer]:
    """A server for `model`, alone on its identity in this workspace: a second run waits for its turn.

    The first stage that really runs starts it: what another run has made meanwhile loads no model."""

    def file(suffix: str) -> Path:
        return session.workspace.server_file(identity, suffix=suffix)

    def waiting(holder: str) -> None:
        session.progress.message(f"{model.name}: waiting for the model server of {holder}")

    def should_stop() -> bool:
        return session.stop.draining

    with ArtifactLock(file(".lock"), waiting=waiting, should_stop=should_stop):
        session.cleanup(model=identity[:24])
        with private_folder(Path(tempfile.gettempdir()), stem=SOCKETS) as folder:
            own_by(folder, user=session.user)
            config = write_config(
                file(".json"),
                model=model,
                weights=weights,
                batch_size=batch_size,
            )
            task = server_task(
                session,
                model=model,
                identity=identity,
                image=image,
                config=config,
                mounts=mounts,
                gpus=gpus,
                folder=folder,
            )
            log = file(".log")
            log.unlink(missing_ok=True)
            server = ModelServer(session=session, task=task, folder=folder, log=log)
            try:
                yield server
            finally:
                server.stop()


def write_config(path: Path, *, model: ModelCard, weights: str | None, batch_size: int | None) -> Path:
    """`model.json` of `vlmhb_models.serve`."""
    upstream = model.upstream.model_dump(mode="json", exclude={"path"}) if model.upstream else None
    value = {
        "name": model.name,
        "interface": model.interface,
        "class_path": model.class_path,
        "upstream": upstream,
        "path": code_target(model.code_path) if model.code_path else None,
        "params": model.params,
        "weights": "/vlmhb/in/weights" if weights else None,
        "socket": "/vlmhb/sock/model.sock",
        "max_batch": batch_size,
    }
    write_atomic(path, json.dumps(value, ensure_ascii=False).encode())
    return path


def code_target(source: Path) -> str:
    """A folder is mounted as `model`; a wheel keeps its name, which the import system needs."""
    return f"/vlmhb/in/{source.name}" if source.is_file() else "/vlmhb/in/model"


def server_task(
    session: Session,
    *,
    model: ModelCard,
    identity: str,
    image: ImageSpec,
    config: Path,
    mounts: tuple[Mount, ...],
    gpus: tuple[str, ...],
    folder: Path,
) -> ContainerTask:
    own = (
        Mount(source=session.kit_path, target="/vlmhb/kit.pyz"),
        Mount(source=config, target="/vlmhb/model.json"),
        Mount(source=folder, target="/vlmhb/sock", writable=True),
    )
    limits = Limits(**model.limits.model_dump())
    return ContainerTask(
        name=f"vlmhb-server-{identity[:12]}",
        image=image,
        command=("python3", "/vlmhb/kit.pyz", "serve", "--config", "/vlmhb/model.json"),
        mounts=(*own, *mounts),
        env={
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "OMP_THREAD_LIMIT": "1",
        },
        limits=limits,
        gpus=gpus,
        options=model.options,
        labels=session.labels(model=identity[:24], role="server"),
        user=session.user,
    )


def _bound(log: Path) -> None:
    """Cut a log that grew too long down to its end. Its writers append, so they go on behind it."""
    if log.exists() and log.stat().st_size > MAX_LOG:
        end = _end_of(log)
        os.truncate(log, 0)
        with log.open("ab") as file:
            file.write(b"[the beginning was cut off]\n" + end)


def _end_of(log: Path) -> bytes:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - KEPT_LOG))
        return file.read(KEPT_LOG)


def _last_words(log: Path) -> str:
    """The last thing the server said, on one line."""
    try:
        text = _end_of(log).decode(errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("VHB")]
    return (told or lines or [""])[-1][:500]
