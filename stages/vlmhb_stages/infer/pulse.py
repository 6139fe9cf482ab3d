"""Tells the host that the driver lives and how far it is, and makes the journals durable meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.tally import Tally

_TICK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Gauges:
    """What is known of a run besides its tally. `cost` is None without prices."""

    in_flight: Callable[[], int] = lambda: 0
    cost: Callable[[], float | None] = lambda: None
    asked: Callable[[], int] = lambda: (
        0
    )  # samples that were really asked: the rest was recorded before, or lent


class Pulse:
    """Progress is told at most once a second: at once when the last time is long ago, else with the next
    tick."""

    def __init__(self, *, events: EventWriter, tally: Tally, clock: Callable[[], float]) -> None:
        self.gauges = Gauges()
        self._events = events
        self._tally = tally
        self._clock = clock
        self._told: tuple[int, int, float | None] | None = None  # done, retries, cost
        self._told_at = float("-inf")

    def progress(self, *, last: bool = False) -> None:
        """`last` is told in any case, unless it says nothing new."""
        now, counts, cost = self._clock(), self._tally.counts, self.gauges.cost()
        news = (self._tally.done, self._tally.retries, cost)
        if news == self._told or not (last or now - self._told_at >= _TICK_S):
            return
        self._told, self._told_at = news, now
        self._events.emit(
            "progress",
            done=self._tally.done,
            total=counts.planned,
            asked=self.gauges.asked(),
            ok=counts.ok,
            error=counts.error,
            skipped=counts.skipped,
            cost=None if cost is None else round(cost, 6),
            retries=self._tally.retries,
            in_flight=self.gauges.in_flight(),
        )

    async def beat(self, every_s: float) -> None:
        while True:
            self._events.emit("heartbeat")
            await asyncio.sleep(every_s)

    async def tick(self, sync: Callable[[], None], *, tell: Callable[[], None] = lambda: None) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            await asyncio.to_thread(sync)  # fsync may take long: not on the loop that measures latencies
            tell()
            self.progress()


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None], *, halt: Halt) -> AsyncIterator[None]:
    """Runs endless `work` beside the body; if it breaks (a full disk), the whole run is stopped."""

    def on_end(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            halt.fail(error)

    task = asyncio.create_task(work)
    task.add_done_callback(on_end)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
