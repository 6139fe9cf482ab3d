"""Tasks on real engines: one body, run on each container engine."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmhb.command import run_command
from vlmhb.engines.apptainer import ApptainerEngine
from vlmhb.engines.base import ContainerTask, Handle, ImageSpec, Limits, TaskExit
from vlmhb.engines.cgroups import PROC
from vlmhb.engines.container import ContainerEngine
from vlmhb.engines.process_registry import ProcessRegistry
from vlmhb.engines.processes import family

PATIENCE_S = 60.0
LABEL = "org.vlmhb.run"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """An engine with an image, a log, and a label by which everything is removed again."""

    engine: ContainerEngine | ApptainerEngine
    image: ImageSpec
    folder: Path
    run_label: str = field(default_factory=lambda: f"test-{secrets.token_hex(6)}")

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def task(self, script: str, **changes: Any) -> ContainerTask:
        values: dict[str, Any] = {
            "name": f"vlmhb-test-{secrets.token_hex(6)}",
            "image": self.image,
            "command": ("sh", "-c", script),
            "labels": {LABEL: self.run_label},
            "limits": Limits(memory_mib=64, cpus=0.5, pids=32, tmp_mib=16),
        }
        return ContainerTask(**{**values, **changes})

    def run(self, script: str, **changes: Any) -> TaskExit:
        return follow(self.engine.start(self.task(script, **changes), log=self.log))

    def start(self, script: str, **changes: Any) -> Handle:
        """Returns when the script has said `ready`."""
        handle = self.engine.start(self.task(f"echo ready; {script}", **changes), log=self.log)
        wait_until(lambda: self.log.exists() and "ready" in self.said())
        return handle

    @property
    def limits_work(self) -> bool:
        return self.engine.dialect.limits_work

    def left(self) -> list[str]:
        """What is still there of this bench's containers: their ids, or the private folders of their clients."""
        if isinstance(self.engine, ApptainerEngine):
            found = ProcessRegistry(self.engine.state).find(labels={LABEL: self.run_label})
            return [str(root.path) for root in found]
        label = f"label={LABEL}={self.run_label}"
        return run_command([self.engine.name, "ps", "--all", "--quiet", "--filter", label]).stdout.split()

    def inspected(self, task: ContainerTask) -> str:
        """All that another user of the engine can learn of a running task: the settings of its container, or the
        argv and environment of every process of it."""
        if not isinstance(self.engine, ApptainerEngine):
            return run_command([self.engine.name, "container", "inspect", task.name]).stdout
        (root,) = ProcessRegistry(self.engine.state).find(labels=task.labels)
        parts = [(root.path / "task.json").read_bytes()]
        for pid in family(root.leader() or 0):
            parts += [(PROC / str(pid) / name).read_bytes() for name in ("cmdline", "environ")]
        return b"\n".join(parts).decode("utf-8", "replace")


def follow(handle: Handle) -> TaskExit:
    """To its end."""
    deadline = time.monotonic() + PATIENCE_S
    while (ended := handle.poll()) is None:
        if time.monotonic() > deadline:
            handle.stop(grace_s=1.0)
            raise AssertionError("it does not end")
        time.sleep(0.02)
    return ended


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)
