"""A real chat server that misbehaves as told, sample by sample, on loopback TCP or on a Unix socket."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

Handler = Callable[["FaultServer", web.Request, "Asked"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Asked:
    """One POST as it arrived. `sample_id` is what stands after `ask ` in the prompt."""

    sample_id: str
    body: dict[str, Any]
    headers: dict[str, str]
    at: float


@dataclass
class FaultServer:
    """`script[sample_id]` is what happens at its first, second, ... request; afterwards it answers properly.

    `always[sample_id]` happens at each. `delay_s` is waited before each proper answer."""

    socket_path: Path | None = None
    delay_s: float = 0.0
    script: dict[str, list[Handler]] = field(default_factory=dict)
    always: dict[str, Handler] = field(default_factory=dict)
    everything: Handler | None = None
    healthy: bool = True
    metrics: str | None = None  # what /metrics says
    scrapes: int = 0
    asked: list[Asked] = field(default_factory=list)
    on_asked: Callable[[int], None] = lambda count: None

    def __post_init__(self) -> None:
        self.release = threading.Event()  # lets hanging requests end when the server stops
        self._started = threading.Event()
        self.open_requests: dict[int, web.Request] = {}
        self.most_in_flight = 0
        self._scripted: dict[str, int] = defaultdict(int)
        self._loop = asyncio.new_event_loop()
        self._port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def counts(self) -> Counter[str]:
        return Counter(asked.sample_id for asked in self.asked)

    def __enter__(self) -> FaultServer:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _open(self) -> None:
        app = web.Application(client_max_size=64 << 20)
        self._routes(app)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site: web.BaseSite
        if self.socket_path is not None:
            self.socket_path.unlink(missing_ok=True)
            site = web.UnixSite(self._runner, str(self.socket_path))
        else:
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            self._port = listener.getsockname()[1]
            site = web.SockSite(self._runner, listener)
        await site.start()

    def _routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/metrics", self._metrics)

    async def _metrics(self, _: web.Request) -> web.Response:
        self.scrapes += 1
        return web.Response(text=self.metrics) if self.metrics is not None else web.Response(status=404)

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.healthy else 503)

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "fault-model"}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        asked = Asked(_sample_id(body), body, dict(request.headers), time.perf_counter())
        self.asked.append(asked)
        self.on_asked(len(self.asked))
        self.open_requests[id(request)] = request
        self.most_in_flight = max(self.most_in_flight, len(self.open_requests))
        try:
            return await self._handler(asked.sample_id)(self, request, asked)
        finally:
            del self.open_requests[id(request)]

    def _handler(self, sample_id: str) -> Handler:
        scripted, at = self.script.get(sample_id, []), self._scripted[sample_id]
        self._scripted[sample_id] += 1
        if at < len(scripted):
            return scripted[at]
        return self.always.get(sample_id) or self.everything or proper


def _sample_id(body: dict[str, Any]) -> str:
    found = re.search(r"ask (\S+?)[\"\\]", json.dumps(body, ensure_ascii=False))
    return found[1] if found else "?"


def chunk(
    content: str | None = None,
    *,
    finish: str | None = None,
    usage: tuple[int, int] | None = None,
    **delta: Any,
) -> bytes:
    """One `data:` event of a stream."""
    data: dict[str, Any] = {"object": "chat.completion.chunk", "choices": []}
    if usage is None:
        found = {**({} if content is None else {"content": content}), **delta}
        data["choices"] = [{"index": 0, "delta": found, "finish_reason": finish}]
    else:
        data["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


async def stream(request: web.Request, *events: bytes | float) -> web.StreamResponse:
    """Sends events; a number is a pause in seconds."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for event in events:
        if isinstance(event, bytes):
            await response.write(event)
        else:
            await asyncio.sleep(event)
    return response


def streaming(*events: bytes | float) -> Handler:
    async def handler(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
        return await stream(request, *events)

    return handler


def saying(text: str, *, finish: str = "stop") -> Handler:
    return streaming(chunk(role="assistant"), chunk(text), chunk(finish=finish), chunk(usage=(7, 2)), DONE)


async def proper(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
    """The right answer, streamed if asked for."""
    await asyncio.sleep(server.delay_s)
    text = f"answer to {asked.sample_id}"
    if not asked.body.get("stream"):
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 7, "completion_tokens": 3}
        return web.json_response({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})
    events = (chunk(role="assistant"), chunk("answer to "), chunk(asked.sample_id), chunk(finish="stop"))
    return await stream(request, *events, chunk(usage=(7, 3)), DONE)


def status(code: int, message: str = "broken on purpose", **headers: str) -> Handler:
    async def handler(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response({"error": {"message": message, "type": "fault"}}, status=code, headers=named)

    return handler


def body(content: bytes, *, content_type: str = "application/json") -> Handler:
    async def handler(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
        return web.Response(body=content, content_type=content_type)

    return handler


def once_asked(count: int, then: Handler) -> Handler:
    """Answers as `then` does, but only when so many requests have come in all."""

    async def handler(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
        while len(server.asked) < count:
            await asyncio.sleep(0.005)
        return await then(server, request, asked)

    return handler


async def hang(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
    """Says nothing until the server stops."""
    await asyncio.to_thread(server.release.wait)
    return web.Response(status=500)


async def hang_in_stream(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
    response = await stream(request, chunk("half of an "))
    await asyncio.to_thread(server.release.wait)
    return response


async def reset(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
    """Breaks the connection in the middle of the body."""
    response = await stream(request, chunk("half of an "))
    assert request.transport is not None
    request.transport.abort()
    return response


async def refuses_streaming(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
    if asked.body.get("stream"):
        return web.json_response({"error": {"message": "stream_options is not supported"}}, status=400)
    return await proper(server, request, asked)
