"""The few words of HTTP that the launcher speaks itself: answers while loading, and questions to the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REASONS = {200: "OK", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}
LONGEST_BODY = 1 << 20
ANSWER_S = 5.0


@dataclass(frozen=True)
class Address:
    """Where the vendor's server listens: a port of this machine, or a Unix socket."""

    port: int = 0
    path: str | None = None
    host: str = "127.0.0.1"


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes

    def json(self) -> Any:
        """None for what is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def answer(status: int, body: Mapping[str, Any]) -> bytes:
    """A whole answer that ends its connection."""
    data = json.dumps(body, ensure_ascii=False).encode("utf-8")
    lines = [
        f"HTTP/1.1 {status} {REASONS[status]}",
        "Content-Type: application/json; charset=utf-8",
        f"Content-Length: {len(data)}",
        "Connection: close",
        *(["Retry-After: 1"] if status == 503 else []),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data


def refusal(message: str, *, code: str, status: int = 503) -> bytes:
    """An error object, as the OpenAI protocol has it."""
    kind = "service_unavailable" if status == 503 else "server_error"
    return answer(status, {"error": {"message": message, "type": kind, "code": code}})


async def get(address: Address, path: str, *, timeout_s: float = ANSWER_S) -> Reply | None:
    """One GET; None when nobody answers, or with what is no HTTP."""
    try:
        return await asyncio.wait_for(_get(address, path), timeout=timeout_s)
    except (OSError, ValueError, IndexError, asyncio.TimeoutError, EOFError, asyncio.LimitOverrunError):
        return None


async def _get(address: Address, path: str) -> Reply:
    if address.path is not None:
        reader, writer = await asyncio.open_unix_connection(address.path)
    else:
        reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        # HTTP/1.0: the answer comes in one piece and the server closes behind it
        writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode("latin-1"))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = int(head.split()[1])
        length = _content_length(head)
        body = await (reader.read(LONGEST_BODY) if length is None else reader.readexactly(length))
        return Reply(status=status, body=body)
    finally:
        writer.close()


def _content_length(head: str) -> int | None:
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length":
            return min(int(value), LONGEST_BODY)
    return None
