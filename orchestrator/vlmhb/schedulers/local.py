"""Tasks on this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vlmhb.engines.base import ContainerTask, Engine, Handle


@dataclass(frozen=True)
class LocalScheduler:
    name: str = field(default="local", init=False)

    def start(self, task: ContainerTask, *, engine: Engine, log: Path) -> Handle:
        return engine.start(task, log=log)
