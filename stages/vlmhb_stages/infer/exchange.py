"""One POST and its answer, with the time of each phase limited and measured."""

from __future__ import annotations

import asyncio
import io
from contextlib import suppress
from dataclasses import replace

import aiohttp

from vlmhb_stages.infer import classify
from vlmhb_stages.infer.body import ChatRequest
from vlmhb_stages.infer.deadline import Deadline, TooLong
from vlmhb_stages.infer.dialects.base import Asking, StreamReading
from vlmhb_stages.infer.endpoint import Endpoint
from vlmhb_stages.infer.outcomes import Answer, Failure, Outcome
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.infer.sse import EventSplitter
from vlmhb_stages.specs import RetryPolicy

NETWORK_ERRORS = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
MAX_ERROR_BODY = 64 << 10
_MAX_BODY = 64 << 20  # bytes of an answer; more is no answer to a question about a page
_END_OF_STREAM_S = 1.0  # for what follows the end of a stream: read it, and the connection can serve again
WHOLE = "Vlmhb-Stream"  # header `whole` of our own server: the model does not stream, the events are for show
_OURS = "vlmhb"  # our own server's `Server` header: it counts with the model's own tokenizer


class Exchange:
    """The clock starts when the request is handed to the connection."""

    def __init__(
        self, *, session: aiohttp.ClientSession, endpoint: Endpoint, runtime: Runtime, retry: RetryPolicy
    ) -> None:
        self._session = session
        self._endpoint = endpoint
        self._runtime = runtime
        self._retry = retry
        self._response: aiohttp.ClientResponse | None = None
        self._started = 0.0
        self._ended = 0.0
        self._size = 0
        self._whole = bytearray()
        self._splitter = EventSplitter()
        self._stream: StreamReading | None = None

    async def run(self, request: ChatRequest, *, asking: Asking) -> Outcome:
        """Raises one of `NETWORK_ERRORS`; an answer in time is an `Answer` or says why it is none."""
        retry, stream = self._retry, asking.accepts.stream
        body = self._endpoint.dialect.body(request, asking=asking)
        url = self._endpoint.dialect.url(self._endpoint.base, model=asking.model, stream=stream)
        total = retry.timeout_total_s
        self._deadline = Deadline(
            total_s=total,
            total=f"no {'end of the' if stream else ''} answer in {total:g} s".replace("  ", " "),
        )
        first = retry.timeout_first_token_s if stream else total
        self._deadline.next(
            first, f"no first token in {first:g} s" if stream else f"no answer in {total:g} s"
        )
        self._started = self._runtime.perf()
        try:
            await self._deadline.hold(self._converse(url, body))
        except TooLong as error:
            if self._stream is None or not self._stream.is_answered:
                return Failure(kind="timeout", message=str(error), retryable=True, server="hung")
        return self._outcome()

    def close(self) -> None:
        """A whole answer gives its connection back to the pool, a broken one closes it."""
        if self._response is not None:
            self._response.release()

    async def _converse(self, url: str, body: bytes) -> None:
        # BytesIO: aiohttp copies it to the socket in slices instead of blocking the loop with one big write
        data, as_json = io.BytesIO(body), {"Content-Type": "application/json"}
        response = await self._session.post(url, data=data, headers=as_json, allow_redirects=False)
        self._response = response
        if response.status == 200 and response.content_type == "text/event-stream":
            self._stream = self._endpoint.dialect.stream(started=self._started)
            self._stream.is_whole = response.headers.get(WHOLE) == "whole"
            await self._read_stream(response, self._stream)
        else:
            await self._read_whole(response)

    async def _read_stream(self, response: aiohttp.ClientResponse, stream: StreamReading) -> None:
        between, perf = self._retry.timeout_token_s, self._runtime.perf
        silence = f"nothing more of the answer in {between:g} s"
        while not stream.is_over and self._size <= _MAX_BODY:
            block = await response.content.readany()
            now = perf()
            if not block:
                break
            self._size += len(block)
            payloads = self._splitter.feed(block)
            for payload in payloads:
                stream.feed(payload, now=now)
            if payloads and stream.has_token:
                self._deadline.next(between, silence)
        self._ended = perf()
        if stream.finished:
            self._deadline.next(_END_OF_STREAM_S, "the connection was not ended")
            with suppress(*NETWORK_ERRORS):
                await response.content.read(MAX_ERROR_BODY)

    async def _read_whole(self, response: aiohttp.ClientResponse) -> None:
        limit = _MAX_BODY if response.status == 200 else MAX_ERROR_BODY
        while len(self._whole) <= limit:
            block = await response.content.readany()
            if not block:
                break
            self._whole += block
        self._ended = self._runtime.perf()

    def _outcome(self) -> Outcome:
        response = self._response
        if response is None:
            raise RuntimeError("no response although the exchange ended")
        if response.status != 200:
            body, now = bytes(self._whole[:MAX_ERROR_BODY]), self._runtime.wall()
            return classify.from_status(response.status, headers=response.headers, body=body, now=now)
        if max(len(self._whole), self._size) > _MAX_BODY:
            return classify.invalid("the answer is larger than 64 MiB")
        if self._stream is not None:
            outcome = self._stream.outcome()
        else:
            latency = self._ended - self._started
            outcome = self._endpoint.dialect.whole(bytes(self._whole), latency_s=latency)
        if isinstance(outcome, Answer) and outcome.tokens_from == "usage" and _is_ours(response):
            return replace(outcome, tokens_from="tokenizer")
        return outcome


def _is_ours(response: aiohttp.ClientResponse) -> bool:
    return response.headers.get("Server", "").split(" ")[0] == _OURS
