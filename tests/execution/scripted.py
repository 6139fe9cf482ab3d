"""Doubles of an engine: containers that do what a test says, one step each time they are looked at."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmhb.engines.base import ContainerTask, Handle, ImageSpec, RenderedTask, TaskExit, Usage
from vlmhb.execution.session import Session
from vlmhb.progress.view import Counted
from vlmhb.schedulers.local import LocalScheduler
from vlmhb.store.view import WorkspaceView
from vlmhb.store.workspace import Workspace

IMAGE = ImageSpec(name="stages", ref="stages:1", identity="sha256:" + "1" * 64)
DONE = TaskExit(code=0, reason="exit")
ENDED = {"type": "end"}
Step = TaskExit | Callable[[], None] | None


class ScriptedHandle:
    """Each poll takes the next step: nothing, a call, or the end. Without steps left it runs on."""

    def __init__(self, steps: list[Step], *, peak: float | None = None) -> None:
        self._steps = iter(steps)
        self._exit: TaskExit | None = None
        self._peak = peak
        self.calls: list[str] = []
        self.when_stopped = TaskExit(code=137, reason="stopped")

    def poll(self) -> TaskExit | None:
        if self._exit is None:
            step = next(self._steps, None)
            if isinstance(step, TaskExit):
                self._exit = step
            elif step is not None:
                step()
        return self._exit

    def terminate(self) -> None:
        self.calls.append("terminate")

    def stop(self, *, grace_s: float) -> None:
        self.calls.append("stop")
        self._exit = self._exit or self.when_stopped

    def memory_kills(self) -> int:
        return 0

    def peak_memory_mib(self) -> float | None:
        return self._peak

    def usage(self) -> Usage | None:
        return None

    def verify(self) -> tuple[str, ...]:
        return ()


@dataclass
class ScriptedEngine:
    """`scripts` maps a role (prepare, infer, evaluate, report, server) to what its containers do, one after another."""

    scripts: dict[str, list[Callable[[ContainerTask], Handle]]] = field(default_factory=dict)
    started: list[ContainerTask] = field(default_factory=list)
    cleaned: list[dict[str, str]] = field(default_factory=list)
    name: str = "scripted"
    isolation: str = "container"

    def render(self, task: ContainerTask, *, root: Path | None = None) -> RenderedTask:
        return RenderedTask(argv=task.command)

    def start(self, task: ContainerTask, *, log: Path) -> Handle:
        self.started.append(task)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        return self.scripts[task.labels["org.vlmhb.role"]].pop(0)(task)

    def cleanup(self, *, labels: dict[str, str]) -> int:
        self.cleaned.append(labels)
        return 0

    def roles(self) -> list[str]:
        return [task.labels["org.vlmhb.role"] for task in self.started]


@dataclass
class QuietProgress:
    """Remembers what it was told."""

    told: list[tuple[str, ...]] = field(default_factory=list)

    def __enter__(self) -> QuietProgress:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def stage_started(self, evaluation_id: str, stage: str, reason: str) -> None:
        self.told.append(("started", evaluation_id, stage, reason))

    def update(self, evaluation_id: str, counted: Counted) -> None:
        self.told.append(("update", evaluation_id, str(counted.done)))

    def usage(self, device: str, text: str) -> None:
        self.told.append(("usage", device, text))

    def stage_ended(self, evaluation_id: str, stage: str, outcome: str, detail: str) -> None:
        self.told.append(("ended", evaluation_id, stage, outcome))

    def message(self, text: str) -> None:
        self.told.append(("message", text))


def out_of(task: ContainerTask) -> Path:
    return next(mount.source for mount in task.mounts if mount.target == "/vlmhb/out")


def writes(
    files: dict[str, str], *, end: TaskExit = DONE, events: tuple[dict[str, Any], ...] = ()
) -> Callable[[ContainerTask], Handle]:
    """A stage that writes `files` (and `events`) and ends; with `DONE` it says so before."""

    def start(task: ContainerTask) -> Handle:
        def work() -> None:
            for name, text in files.items():
                path = out_of(task) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            tell(out_of(task), *events, *((ENDED,) if end is DONE else ()))

        return ScriptedHandle([work, end])

    return start


def tell(out: Path, *events: dict[str, Any]) -> None:
    if events:
        with (out / "events.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(event) + "\n" for event in events)


def ticking(step: float = 1.0) -> Callable[[], float]:
    """A clock that goes on by `step` seconds each time it is read, by whichever thread."""
    return itertools.count(0.0, step).__next__


def make_session(
    root: Path, engine: ScriptedEngine, *, clock: Callable[[], float] | None = None, **changes: Any
) -> Session:
    workspace = Workspace.open(root / "workspace")
    values: dict[str, Any] = {
        "run_id": "run-1",
        "workspace": workspace,
        "view": WorkspaceView(workspace),
        "engine": engine,
        "scheduler": LocalScheduler(),
        "kit_path": root / "kit.pyz",
        "user": "65534:65534",
        "progress": QuietProgress(),
        "sleep": lambda _: None,
        "clock": clock or ticking(0.01),
    }
    return Session(**{**values, **changes})
