"""Waits for the model server: not up yet, gone, hung, or given up by the host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.outcomes import Failure
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.infer.turnstile import Turnstile

_POLL_S = 0.2
_RESTART_S = 30.0  # how long a hung server may take to be replaced before a healthy old one is believed again


class ServerGone(Exception):
    """The model server will not come back; the message says why."""


class Gate(Protocol):
    """Stands before every request."""

    def turn(self, *, alone: bool) -> AbstractAsyncContextManager[int]:
        """Inside, one request may be sent; the number names the server's present life. `alone`: with no
        other one
        in flight.

        Raises `ServerGone`, and `Halted` when the driver is to stop."""

    def report(self, failure: Failure, *, life: int) -> None:
        """What a request that was sent in that `life` tells about the server."""


class OpenGate:
    """For servers that are not ours: they are asked at once, and retries are all that can be done."""

    @asynccontextmanager
    async def turn(self, *, alone: bool) -> AsyncIterator[int]:
        del alone  # who else asks such a server is not ours to say
        yield 0

    def report(self, failure: Failure, *, life: int) -> None:
        """Nobody here could restart it."""


class OwnServer:
    """Our own model server behind a socket; the host starts it anew when it dies or when we ask for it."""

    def __init__(
        self,
        *,
        socket: Path,
        healthy: Callable[[], Awaitable[bool]],
        wait_s: float,
        events: EventWriter,
        halt: Halt,
        runtime: Runtime,
    ) -> None:
        self._socket = socket
        self._healthy = healthy
        self._wait_s = wait_s
        self._events = events
        self._halt = halt
        self._runtime = runtime
        self._life = 0
        self._up = False
        self._replaced: tuple[int, int] | None = None  # the socket file of a server that is to be replaced
        self._one_waits = asyncio.Lock()
        self._turnstile = Turnstile(halt)

    @asynccontextmanager
    async def turn(self, *, alone: bool) -> AsyncIterator[int]:
        """A request that was in flight when the server broke goes `alone` the next time: so a sample that
        kills the
        server costs no other one more than one attempt."""
        async with self._turnstile.inside(alone=alone):
            if not self._up:
                await self._halt.race(self._come_up())
            yield self._life

    def report(self, failure: Failure, *, life: int) -> None:
        if failure.server == "fine" or life != self._life:
            return  # other requests of the same life have said so already
        self._life += 1
        self._up = False
        if failure.server == "hung":
            self._replaced = self._socket_file()
            self._events.emit("restart_server", reason="timeout")

    async def _come_up(self) -> None:
        async with self._one_waits:
            if self._up:
                return
            started = self._runtime.monotonic()
            while not await self._is_back(waited=self._runtime.monotonic() - started):
                self._give_up_after(self._runtime.monotonic() - started)
                await self._runtime.sleep(_POLL_S)
            self._up, self._replaced = True, None

    async def _is_back(self, *, waited: float) -> bool:
        """A hung server may well answer `/health` until the host has stopped it: wait for a new socket
        file."""
        if self._replaced is not None and self._replaced == self._socket_file() and waited < _RESTART_S:
            return False
        return self._socket.exists() and await self._healthy()

    def _give_up_after(self, waited: float) -> None:
        failed = self._socket.with_name("failed")
        if failed.exists():
            raise ServerGone(
                failed.read_text(encoding="utf-8", errors="replace").strip() or "given up by the host"
            )
        if waited >= self._wait_s:
            raise ServerGone(f"no healthy model server in {self._wait_s:g} s")

    def _socket_file(self) -> tuple[int, int] | None:
        try:
            stat = self._socket.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_ctime_ns
