"""Ends a piece of work whose present phase lasts too long; moving on to the next phase costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


class TooLong(Exception):
    """A phase took longer than it may; the message says which.

    Apart from TimeoutError, which aiohttp uses for its own connect limit."""


class Deadline:
    """One per piece of work. `next` is cheap enough to be called with every token."""

    def __init__(self, *, total_s: float, total: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + total_s
        self._end_message = total
        self._at = self._end
        self._message = total
        self._timer: asyncio.TimerHandle | None = None
        self._passed = False

    def next(self, seconds: float, message: str) -> None:
        """A new phase begins and may last so long, but never beyond the total."""
        self._at, self._message = self._loop.time() + seconds, message
        if self._at > self._end:
            self._at, self._message = self._end, self._end_message
        if self._timer is not None and self._at < self._timer.when():
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._arm()

    async def hold(self, work: Coroutine[Any, Any, None]) -> None:
        """Awaits `work`, which is cancelled when a phase is over time: raises `TooLong` then."""
        self._task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({self._task})
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if not self._task.done():  # somebody cancels us
                self._task.cancel()
                with suppress(BaseException):  # what breaks while it is dropped interests nobody
                    await self._task
        if self._passed and self._task.cancelled():
            raise TooLong(self._message)
        self._task.result()

    def _arm(self) -> None:
        self._timer = self._loop.call_at(self._at, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._loop.time() < self._at:  # a later phase has begun meanwhile
            self._arm()
        elif not self._task.done():
            self._passed = True
            self._task.cancel()
