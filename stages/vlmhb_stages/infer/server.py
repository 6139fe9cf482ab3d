"""Waits for the model server: not up yet, gone, hung, or given up by the host."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer.outcomes import Failure
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.infer.turnstile import Turnstile

_POLL_S = 0.2
_MOST_WORDS = 8192  # bytes of what the host says of a server that it has given up
_RESTART_S = 30.0  # how long a hung server may take to be replaced before a healthy old one is believed again


class ServerGone(Exception):
    """The model server will not come back; the message says why."""


class OwnServer:
    """Our own model server behind a socket; the host starts it anew when it dies or when we ask for it."""

    def __init__(
        self,
        *,
        number: int,
        socket: Path,
        healthy: Callable[[], Awaitable[bool]],
        wait_s: float,
        events: EventWriter,
        runtime: Runtime,
        turnstile: Turnstile,
    ) -> None:
        self.up = False
        self.life = 0
        self._number = number
        self._socket = socket
        self._healthy = healthy
        self._wait_s = wait_s
        self._events = events
        self._runtime = runtime
        self._replaced: tuple[int, int] | None = None  # the socket file of a server that is to be replaced
        self._turnstile = turnstile

    @asynccontextmanager
    async def turn(self, *, alone: bool) -> AsyncIterator[int | None]:
        """Inside, one request may be sent; the number names the server's present life, None: it went down meanwhile.

        A request that was in flight when the server broke goes `alone` the next time: so a sample that kills the
        server costs no other one more than one attempt."""
        async with self._turnstile.inside(alone=alone):
            yield self.life if self.up else None

    def report(self, failure: Failure, *, life: int) -> None:
        """What a request that was sent in that `life` tells about the server."""
        if failure.server == "fine" or life != self.life:
            return  # other requests of the same life have said so already
        self.life += 1
        self.up = False
        if failure.server == "hung":
            self._replaced = self._socket_file()
            self._events.emit("restart_server", server=self._number, reason="timeout")

    async def come_up(self) -> None:
        """Waits until it is healthy. Raises `ServerGone`."""
        started = self._runtime.monotonic()
        while not await self._is_back(waited=self._runtime.monotonic() - started):
            self._give_up_after(self._runtime.monotonic() - started)
            await self._runtime.sleep(_POLL_S)
        self.up, self._replaced = True, None

    async def _is_back(self, *, waited: float) -> bool:
        """A hung server may well answer `/health` until the host has stopped it: wait for a new socket
        file."""
        if self._replaced is not None and self._replaced == self._socket_file() and waited < _RESTART_S:
            return False
        return self._socket.exists() and await self._healthy()

    def _give_up_after(self, waited: float) -> None:
        failed = _said(self._socket.with_name("failed"))
        if failed is not None:
            raise ServerGone(failed.strip() or "given up by the host")
        if waited >= self._wait_s:
            raise ServerGone(f"no healthy model server in {self._wait_s:g} s")

    def _socket_file(self) -> tuple[int, int] | None:
        try:
            stat = self._socket.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_ctime_ns


def _said(path: Path) -> str | None:
    """The words in a plain file. The model may write in its folder as well: its link could lead to a key of ours."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(_MOST_WORDS).decode("utf-8", "replace")
    except OSError:
        return None
