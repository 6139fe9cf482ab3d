"""Apptainer and SingularityCE: one container per task, started by an ordinary program without a daemon."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from vlmhb.command import spawn
from vlmhb.engines.apptainer_args import PRIVATE_TMP, ApptainerDialect
from vlmhb.engines.apptainer_handle import END_S, TICK_S, ApptainerHandle
from vlmhb.engines.apptainer_inside import look_inside
from vlmhb.engines.base import ContainerTask, RenderedTask
from vlmhb.engines.process import state_folder
from vlmhb.engines.process_registry import ProcessRegistry, TaskRoot
from vlmhb.engines.processes import family
from vlmhb.errors import EngineUnavailable, ImageMissing
from vlmhb.store.files import read_json

IDENTITY = "identity"


@dataclass(frozen=True, kw_only=True)
class ApptainerEngine:
    """`state`: private folders of running tasks, with their labels; see `process_registry`."""

    dialect: ApptainerDialect = field(default_factory=ApptainerDialect)
    state: Path = field(default_factory=state_folder)
    name: str = field(default="apptainer", init=False)
    isolation: str = field(default="container", init=False)

    def render(self, task: ContainerTask, *, root: Path | None = None) -> RenderedTask:
        """Pure. `root` is the private folder whose `tmp` becomes `/tmp` inside."""
        return self.dialect.render(task, root=root)

    def start(self, task: ContainerTask, *, log: Path) -> ApptainerHandle:
        check_image(task)
        root = ProcessRegistry(self.state).new(name=task.name, labels=task.labels)
        rendered = self.render(task, root=root.path)
        log_start = log.stat().st_size if log.exists() else 0
        try:
            _make_tmp(root)
            client = spawn(rendered.argv, log=log, env=rendered.env, cwd=root.path)
        except OSError as error:
            root.remove()
            raise EngineUnavailable(f"{self.name} cannot be started: {error}") from error
        except BaseException:  # Ctrl-C: the folder would stay for ever
            root.remove()
            raise
        root.record(pid=client.pid)
        return ApptainerHandle(
            task=task,
            client=client,
            root=root,
            log=log,
            log_start=log_start,
            limited=self.dialect.limits_work,
            family_name=self.dialect.family,
        )

    def cleanup(self, *, labels: dict[str, str]) -> int:
        if not labels:
            raise ValueError("cleanup without labels would end tasks of other runs")
        found = ProcessRegistry(self.state).find(labels=labels)
        for root in found:
            _end_inside(root)
            root.kill()
            root.remove()
        return len(found)


def _end_inside(root: TaskRoot) -> None:
    """Ends the program of a task, and leaves its client a moment to take away the container's cgroup and mounts."""
    leader = root.leader()
    program = look_inside(family(leader)).program if leader is not None else None
    if program is None:
        return
    with suppress(ProcessLookupError):
        os.kill(program, signal.SIGKILL)
    deadline = time.monotonic() + END_S
    while root.leader() is not None and time.monotonic() < deadline:
        time.sleep(TICK_S)


def _make_tmp(root: TaskRoot) -> None:
    tmp = root.path / PRIVATE_TMP
    tmp.mkdir()
    tmp.chmod(0o1777)  # whoever the task is inside; nobody else gets past the folder above


def record_file(image: Path) -> Path:
    """Beside an image (a SIF or a folder): what it was made from."""
    return image.with_name(f"{image.name}.json")


def image_identity(image: Path) -> str | None:
    """None when there is no such image, or when it was never finished: the record is written last."""
    found = read_json(record_file(image))
    return str(found.get(IDENTITY)) if isinstance(found, dict) and image.exists() else None


def check_image(task: ContainerTask) -> None:
    """The image is there, and still the one that the plan was made for."""
    image = task.image
    found = image_identity(Path(image.ref))
    if found is None:
        hint = f"vlmhb images build {image.name} --engine apptainer"
        raise ImageMissing(f"image {image.ref} is not there", hint=hint)
    if found != image.identity:
        raise ImageMissing(
            f"image {image.ref} is now {found[:19]}, planned was {image.identity[:19]}",
            hint="run again, so that the plan is made anew",
        )
