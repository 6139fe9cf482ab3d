"""Tasks on this machine, followed by polling."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vlmhb.engines.base import ContainerTask, Engine, Handle, TaskExit
from vlmhb.schedulers.base import never, nothing


@dataclass(frozen=True, kw_only=True)
class LocalScheduler:
    """Times in seconds. `grace_s`: between SIGTERM and SIGKILL."""

    interval_s: float = 0.1
    grace_s: float = 10.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    name: str = field(default="local", init=False)

    def start(self, task: ContainerTask, *, engine: Engine, log: Path) -> Handle:
        return engine.start(task, log=log)

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
        deadline = None if timeout_s is None else self.clock() + timeout_s
        handle = self.start(task, engine=engine, log=log)
        try:
            return self._follow(handle, deadline=deadline, should_stop=should_stop, on_tick=on_tick)
        except BaseException:
            # Ctrl-C and faults of a callback included: nothing may be left running with nobody to follow it.
            handle.stop(grace_s=self.grace_s)
            raise

    def _follow(
        self,
        handle: Handle,
        *,
        deadline: float | None,
        should_stop: Callable[[], bool],
        on_tick: Callable[[], None],
    ) -> TaskExit:
        while (ended := handle.poll()) is None:
            on_tick()
            if deadline is not None and self.clock() >= deadline:
                return self._stop(handle).model_copy(update={"reason": "timeout"})
            if should_stop():
                return self._stop(handle)
            self.sleep(self.interval_s)
        on_tick()
        return ended

    def _stop(self, handle: Handle) -> TaskExit:
        handle.stop(grace_s=self.grace_s)
        ended = handle.poll()
        return (
            ended
            if ended is not None
            else TaskExit(code=137, reason="stopped", detail="did not end when killed")
        )
