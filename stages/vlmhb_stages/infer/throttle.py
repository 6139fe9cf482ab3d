"""Lets requests pass one after the other as the rate limit of their tier allows."""

from __future__ import annotations

import asyncio

from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.rate import Entry, RateWindow
from vlmhb_stages.infer.runtime import Runtime

_SHORTEST_NAP_S = 0.001


class Throttle:
    """A line before a `RateWindow`."""

    def __init__(self, window: RateWindow, *, halt: Halt, runtime: Runtime) -> None:
        self._window = window
        self._halt = halt
        self._runtime = runtime
        self._line = asyncio.Lock()

    async def pass_(self, tokens: float) -> Entry:
        """Waits until a request of so many tokens may go, and counts it. Raises `Halted`."""
        if self._line.locked() or self._wait_s(tokens) > 0.0:
            await self._halt.race(self._line.acquire())
            try:
                while (wait := self._wait_s(tokens)) > 0.0:
                    await self._halt.race(self._nap(wait))
            finally:
                self._line.release()
        return self._window.take(now=self._runtime.monotonic(), tokens=tokens)

    def correct(self, entry: Entry, *, tokens: float) -> None:
        self._window.correct(entry, tokens=tokens)

    def _wait_s(self, tokens: float) -> float:
        return self._window.wait_s(now=self._runtime.monotonic(), tokens=tokens)

    async def _nap(self, seconds: float) -> None:
        await self._runtime.sleep(max(seconds, _SHORTEST_NAP_S))
