"""Lets requests pass one after the other as the rate limit of their tier allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.rate import Entry, RateWindow
from vlmhb_stages.infer.runtime import Runtime

Take = Callable[[], Awaitable[Entry]]
_SHORTEST_NAP_S = 0.001


class Throttle:
    """A line before a `RateWindow`."""

    def __init__(self, window: RateWindow, *, halt: Halt, runtime: Runtime) -> None:
        self._window = window
        self._halt = halt
        self._runtime = runtime
        self._line = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, tokens: float) -> AsyncIterator[Take]:
        """Inside, a request of so many tokens is the next that may go. It counts only when `Take` is called: what it
        waits for meanwhile (money) takes nothing from the limit. Raises `Halted`."""
        if not self._window.is_limited:
            yield partial(self._take, tokens)
            return
        await self._halt.race(self._line.acquire())
        try:
            await self._room(tokens)
            yield partial(self._take, tokens)
        finally:
            self._line.release()

    async def _take(self, tokens: float) -> Entry:
        await self._room(tokens)  # answers may have told meanwhile that they took more
        return self._window.take(now=self._runtime.monotonic(), tokens=tokens)

    async def _room(self, tokens: float) -> None:
        while (wait := self._wait_s(tokens)) > 0.0:
            await self._halt.race(self._nap(wait))

    def correct(self, entry: Entry, *, tokens: float) -> None:
        self._window.correct(entry, tokens=tokens)

    def _wait_s(self, tokens: float) -> float:
        return self._window.wait_s(now=self._runtime.monotonic(), tokens=tokens)

    async def _nap(self, seconds: float) -> None:
        await self._runtime.sleep(max(seconds, _SHORTEST_NAP_S))
