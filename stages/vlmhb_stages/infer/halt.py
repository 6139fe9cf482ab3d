"""How the driver is asked to stop: softly (nothing new, let requests in flight end) or hard (drop them)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal, TypeVar

T = TypeVar("T")
HaltReason = Literal["host", "signal", "errors", "budget", "failure"]


class Halted(Exception):
    """Raised where work would go on although a stop was asked for; the sample stays unrecorded."""


class Halt:
    """One per driver, shared by everything that waits or sends. The first reason is the one that counts."""

    def __init__(self) -> None:
        self.reason: HaltReason | None = None
        self.failure: BaseException | None = None
        self._soft = asyncio.Event()
        self._hard = asyncio.Event()

    @property
    def asked(self) -> bool:
        return self._soft.is_set()

    @property
    def dropped(self) -> bool:
        return self._hard.is_set()

    def drain(self, reason: HaltReason, *, grace_s: float | None = None) -> None:
        """Nothing new from now on; with `grace_s`, what is in flight is dropped after so long."""
        self.reason = self.reason or reason
        self._soft.set()
        if grace_s is not None:
            asyncio.get_running_loop().call_later(grace_s, self._hard.set)

    def on_signal(self, *, grace_s: float) -> None:
        """The first signal drains, the second drops."""
        if self.reason == "signal":
            self._hard.set()
        self.drain("signal", grace_s=grace_s)

    def fail(self, error: BaseException) -> None:
        """Something broke that ends the whole run: stop hard; the driver raises `error` in the end."""
        self.failure = self.failure or error
        self.drain("failure")
        self._hard.set()

    def check(self) -> None:
        if self.asked:
            raise Halted

    async def race(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, unless a stop is asked for first (`Halted`)."""
        return await _first(work, self._soft)

    async def race_dropped(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, unless a hard stop comes first (`Halted`)."""
        return await _first(work, self._hard)


async def _first(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T:
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Halted
        return task.result()
    finally:
        for future in (task, stopped):
            future.cancel()
