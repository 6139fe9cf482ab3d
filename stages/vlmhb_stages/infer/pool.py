"""Runs work with a fixed number in flight, and ends in order when the driver is asked to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from vlmhb_stages.infer.halt import Halt, Halted

Work = Callable[[], Coroutine[Any, Any, None]]


class Pool:
    """At most `limit` pieces of work at once. One that raises ends the run (`Halt.fail`), except for
    `Halted`.

    Use as an asynchronous context: leaving it waits for what is in flight, and drops that on a hard stop."""

    def __init__(self, *, limit: int, halt: Halt) -> None:
        self._slots = asyncio.Semaphore(limit)
        self._halt = halt
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        return len(self._tasks)

    async def start(self, work: Work) -> None:
        """Starts it as soon as there is room. Raises `Halted` when a stop is asked for first."""
        self._halt.check()
        if self._slots.locked():
            await self._halt.race(self._slots.acquire())
        else:
            await self._slots.acquire()
        task = asyncio.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        if error is not None and not isinstance(error, Halted):
            self._halt.fail(error)
        await self._finish()
        return isinstance(error, Exception)  # the driver raises `Halt.failure` once everything is closed

    async def _finish(self) -> None:
        try:
            await self._halt.race_dropped(self._all_ended())
        except Halted:
            for task in self._tasks:
                task.cancel()
            await self._all_ended()

    async def _all_ended(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Halted):
            self._halt.fail(error)
