"""The scheduler interface: where a task is started."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from vlmhb.engines.base import ContainerTask, Engine, Handle


class Scheduler(Protocol):
    @property
    def name(self) -> str:
        """`local`."""

    def start(self, task: ContainerTask, *, engine: Engine, log: Path) -> Handle:
        """Started; whoever asked for it follows it to its end, and stops it where it cannot."""
