"""Passes bytes between a client and the vendor's server unchanged, both ways, with bounded buffers.

Only the heads of requests are looked at: health and the model list are answered by the launcher, as is everything
while the server is still loading.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from vlmhb_models.launch_http import Address, refusal

HIGH_WATER = 1 << 20  # bytes in one direction that wait for a slow reader before its writer has to wait
LONGEST_HEAD = 1 << 16
HEAD_END = b"\r\n\r\n"
UNKNOWN = -1  # length of a body
DISCARD_S = 30.0  # how long the body of a refused request is read away

# The launcher's own answer to a request line, or None: it goes to the server.
Own = Callable[[str], "Awaitable[bytes] | None"]


class _End(asyncio.Protocol):
    """One end of a relayed connection. A full buffer on one end stops reading on the other."""

    transport: Any = None
    peer: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.transport.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        if self.peer is not None:
            self.peer.transport.write(data)

    def pause_writing(self) -> None:
        if self.peer is not None and not self.peer.transport.is_closing():
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.peer is not None:
            self.peer.transport.close()  # what it has been given is still written


class _ServerEnd(_End):
    """The connection to the vendor's server; its end of stream ends the client's connection."""


class ClientEnd(_End):
    """A client's connection: each request on it is relayed, or answered here, which ends the connection."""

    def __init__(self, *, address: Address, own: Own) -> None:
        self._address = address
        self._own = own
        self._head = bytearray()  # of a request that is not whole yet
        self._body_left = 0  # bytes of the request under way; UNKNOWN: all that follows
        self._waiting = bytearray()  # what the server gets once it is connected
        self._answered = False
        self._work: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        while data and not self._answered:
            if self._body_left == UNKNOWN or len(data) <= self._body_left:
                self._body_left -= 0 if self._body_left == UNKNOWN else len(data)
                self._forward(data)
                return
            self._forward(data[: self._body_left])
            data = self._next_request(data[self._body_left :])

    def eof_received(self) -> bool:
        """A client may close its writing side and still wait for the answer."""
        if self.peer is not None and self.peer.transport.can_write_eof():
            self.peer.transport.write_eof()
        return self._work is not None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._work is not None:
            self._work.cancel()

    def _next_request(self, data: bytes) -> bytes:
        """Takes the head of a request; gives what comes behind it."""
        self._body_left = 0
        self._head += data
        end = self._head.find(HEAD_END)
        if end < 0 and len(self._head) < LONGEST_HEAD:
            return b""
        cut = end + len(HEAD_END) if end >= 0 else len(self._head)
        head, rest = bytes(self._head[:cut]), bytes(self._head[cut:])
        self._head.clear()
        answering = self._own(head.partition(b"\r\n")[0].decode("latin-1"))
        if answering is not None:
            self._answered = True
            self._work = asyncio.ensure_future(self._answer(answering))
        else:
            self._body_left = body_length(head) if end >= 0 else UNKNOWN
            self._forward(head)
        return rest

    def _forward(self, data: bytes) -> None:
        if self.peer is not None:
            self.peer.transport.write(data)
        elif data:
            self._waiting += data
            if self._work is None:
                self._work = asyncio.ensure_future(self._connect())

    async def _answer(self, answering: Awaitable[bytes]) -> None:
        self._say(await answering)

    async def _connect(self) -> None:
        self.transport.pause_reading()
        loop = asyncio.get_running_loop()
        address = self._address
        try:
            if address.path is not None:
                _, end = await loop.create_unix_connection(_ServerEnd, address.path)
            else:
                _, end = await loop.create_connection(_ServerEnd, address.host, address.port)
        except OSError as error:
            self.transport.resume_reading()
            told = f"the server takes no connection: {error.strerror or error}"
            self._answered = True
            self._say(refusal(told, code="no_connection"))
            return
        end.peer, self.peer = self, end
        end.transport.write(bytes(self._waiting))
        self._waiting.clear()
        self.transport.resume_reading()

    def _say(self, data: bytes) -> None:
        """The last words to this client. What it still sends is read away: closing on unread data would lose
        the answer on its way."""
        self.transport.write(data)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        asyncio.get_running_loop().call_later(DISCARD_S, self.transport.abort)


def body_length(head: bytes) -> int:
    """Of the request with this head; `UNKNOWN` where only reading it through would tell."""
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        key = name.strip().lower()
        if key in (b"transfer-encoding", b"upgrade"):
            return UNKNOWN
        if key == b"content-length":
            length = int(value) if value.strip().isdigit() else UNKNOWN
    return length
