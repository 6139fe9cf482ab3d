"""The scheduler interface: where a task is started, and how it is followed to its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from vlmhb.engines.base import ContainerTask, Engine, Handle, TaskExit


def never() -> bool:
    return False


def nothing() -> None:
    return None


class Scheduler(Protocol):
    @property
    def name(self) -> str:
        """`local`."""

    def start(self, task: ContainerTask, *, engine: Engine, log: Path) -> Handle:
        """For model servers: it is started, and the caller follows it."""

    def run(
        self,
        task: ContainerTask,
        *,
        engine: Engine,
        log: Path,
        timeout_s: float | None = None,
        should_stop: Callable[[], bool] = never,
        on_tick: Callable[[], None] = nothing,
    ) -> TaskExit:
        """To its end; stopped after `timeout_s` (reason `timeout`) or when `should_stop` (`stopped`)."""
