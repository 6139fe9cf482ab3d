"""Sends one request to an OpenAI-style chat server over aiohttp and measures it. No retries here."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

import aiohttp

from vlmhb_stages.infer import classify
from vlmhb_stages.infer.body import ChatRequest
from vlmhb_stages.infer.completion import StreamedCompletion, whole_completion
from vlmhb_stages.infer.endpoint import Endpoint
from vlmhb_stages.infer.outcomes import Failure, Outcome
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.infer.sse import EventSplitter
from vlmhb_stages.specs import RetryPolicy

_PROBE_S = 5.0  # for /health and /v1/models
_END_OF_STREAM_S = 1.0  # for what follows [DONE]: read it, and the connection can serve again
_MAX_BODY = 64 << 20  # bytes of an answer; more is no answer to a question about a page
_MAX_ERROR_BODY = 64 << 10
_MAX_MESSAGE = 500  # characters of a server's error text that are recorded
_NETWORK_ERRORS = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


class ChatClient:
    """One endpoint. Use as `async with ChatClient(...)`."""

    def __init__(self, *, endpoint: Endpoint, retry: RetryPolicy, runtime: Runtime) -> None:
        self.sent = 0
        self._endpoint = endpoint
        self._retry = retry
        self._runtime = runtime
        self._streams = True
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> ChatClient:
        self._session = aiohttp.ClientSession(
            connector=self._endpoint.connector(),
            headers=self._endpoint.headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._retry.timeout_connect_s),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.close()

    async def ask(self, request: ChatRequest) -> Outcome:
        """Sends it once; a server that turns out not to stream is asked again at once, whole, and
        remembered."""
        streamed = self._streams
        outcome = await self._send(request, stream=streamed)
        if streamed and isinstance(outcome, Failure) and classify.rejects_streaming(outcome):
            self._streams = False
            outcome = await self._send(request, stream=False)
        return outcome

    async def healthy(self) -> bool:
        """Whether `/health` answers 200 now."""
        with suppress(*_NETWORK_ERRORS):
            async with self._opened.get(
                self._endpoint.health, timeout=aiohttp.ClientTimeout(total=_PROBE_S)
            ) as response:
                return response.status == 200
        return False

    async def describe(self) -> dict[str, Any]:
        """What the server says of itself: the first entry of `/v1/models`, or nothing."""
        with suppress(*_NETWORK_ERRORS, ValueError, LookupError, TypeError):
            async with self._opened.get(
                self._endpoint.models, timeout=aiohttp.ClientTimeout(total=_PROBE_S)
            ) as response:
                return dict(json.loads(await response.content.read(_MAX_ERROR_BODY))["data"][0])
        return {}

    @property
    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("ChatClient is used outside its `async with`")
        return self._session

    async def _send(self, request: ChatRequest, *, stream: bool) -> Outcome:
        self.sent += 1
        exchange = _Exchange(session=self._opened, url=self._endpoint.chat, runtime=self._runtime)
        try:
            outcome = await exchange.run(request.body(stream=stream), stream=stream, retry=self._retry)
        except _NETWORK_ERRORS as error:
            outcome = classify.from_exception(error)
        finally:
            exchange.close()
        if isinstance(outcome, Failure):  # a server may quote the key it refuses
            return replace(outcome, message=self._endpoint.redact(outcome.message)[:_MAX_MESSAGE])
        return outcome


class _Exchange:
    """One POST and its answer."""

    def __init__(self, *, session: aiohttp.ClientSession, url: str, runtime: Runtime) -> None:
        self._session = session
        self._url = url
        self._runtime = runtime
        self._response: aiohttp.ClientResponse | None = None
        self._started = 0.0
        self._ended = 0.0
        self._whole = bytearray()
        self._splitter = EventSplitter()
        self._stream: StreamedCompletion | None = None

    async def run(self, body: bytes, *, stream: bool, retry: RetryPolicy) -> Outcome:
        total = retry.timeout_total_s
        first = min(retry.timeout_first_token_s, total) if stream else total
        self._started = self._runtime.perf()
        try:
            await _within(self._until_first_token(body), seconds=first)
        except _TooLong:
            return _hung(f"no first token in {first:g} s" if stream else f"no answer in {first:g} s")
        try:
            await _within(self._to_end(), seconds=total - (self._runtime.perf() - self._started))
        except _TooLong:
            return _hung(f"no end of the answer in {total:g} s")
        return self._outcome()

    def close(self) -> None:
        """A whole answer gives its connection back to the pool, a broken one closes it."""
        if self._response is not None:
            self._response.release()

    async def _until_first_token(self, body: bytes) -> None:
        # BytesIO: aiohttp copies it to the socket in slices instead of blocking the loop with one big write
        data, as_json = io.BytesIO(body), {"Content-Type": "application/json"}
        self._response = await self._session.post(
            self._url, data=data, headers=as_json, allow_redirects=False
        )
        if self._response.status == 200 and self._response.content_type == "text/event-stream":
            self._stream = StreamedCompletion(started=self._started)
            while not self._stream.has_token and await self._read():
                pass

    async def _to_end(self) -> None:
        while await self._read():
            pass
        self._ended = self._runtime.perf()
        if self._stream is not None and self._stream.finished and self._response is not None:
            with suppress(*_NETWORK_ERRORS, _TooLong):
                await _within(self._response.content.read(_MAX_ERROR_BODY), seconds=_END_OF_STREAM_S)

    async def _read(self) -> bool:
        """Takes what has arrived; False at the end."""
        if self._response is None or (self._stream is not None and self._stream.is_over):
            return False
        block = await self._response.content.readany()
        now = self._runtime.perf()
        if self._stream is None:
            self._whole += block
            return bool(block) and len(self._whole) <= _MAX_BODY
        for payload in self._splitter.feed(block):
            self._stream.feed(payload, now=now)
        return bool(block)

    def _outcome(self) -> Outcome:
        response = self._response
        if response is None:
            raise RuntimeError("no response although the exchange ended")
        if response.status != 200:
            body, now = bytes(self._whole[:_MAX_ERROR_BODY]), self._runtime.wall()
            return classify.from_status(response.status, headers=response.headers, body=body, now=now)
        if self._stream is not None:
            return self._stream.outcome()
        if len(self._whole) > _MAX_BODY:
            return classify.invalid("the answer is larger than 64 MiB")
        return whole_completion(bytes(self._whole), latency_s=self._ended - self._started)


class _TooLong(Exception):
    """A phase took longer than it may. Apart from TimeoutError, which aiohttp uses for its own connect
    limit."""


async def _within(work: Coroutine[Any, Any, object], *, seconds: float) -> None:
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=max(0.0, seconds))
        if not done:
            raise _TooLong
        task.result()
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError, *_NETWORK_ERRORS):
                await task


def _hung(message: str) -> Failure:
    return Failure(kind="timeout", message=message, retryable=True, server="hung")
