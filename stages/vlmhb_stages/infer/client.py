"""Sends one request to a chat server over aiohttp and measures it. No retries here."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import aiohttp

from vlmhb_stages.infer import classify
from vlmhb_stages.infer.accepts import NOT_ENFORCED, Accepts, without_refused
from vlmhb_stages.infer.body import ChatRequest
from vlmhb_stages.infer.dialects.base import Asking
from vlmhb_stages.infer.endpoint import Endpoint
from vlmhb_stages.infer.exchange import MAX_ERROR_BODY, NETWORK_ERRORS, Exchange
from vlmhb_stages.infer.outcomes import Failure, Outcome
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.specs import Decoding, RetryPolicy
from vlmhb_stages.text import well_formed

_PROBE_S = 5.0  # for /health, /metrics and the description of the model
_MAX_METRICS = 4 << 20
_MAX_MESSAGE = 500  # characters of a server's error text that are recorded


class ChatClient:
    """One endpoint. Use as `async with ChatClient(...)`. `structured`: it can be held to a response schema."""

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        retry: RetryPolicy,
        runtime: Runtime,
        model: str,
        decoding: Decoding,
        structured: bool = False,
    ) -> None:
        self.sent = 0
        self._endpoint = endpoint
        self._retry = retry
        self._runtime = runtime
        self._asking = Asking(model=model, decoding=decoding, structured=structured)
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

    @property
    def is_own(self) -> bool:
        """Whether the server runs here for us, so that its counters are about us."""
        return self._endpoint.is_own

    async def ask(self, request: ChatRequest) -> Outcome:
        """Sends it once. A server that refuses an option is asked again at once without it; what it refuses is
        remembered as soon as it has answered so."""
        asking = self._asking
        outcome = await self._send(request, asking)
        while isinstance(outcome, Failure):
            wanted = asking.schema_for(request)
            fewer = without_refused(outcome, now=asking.accepts, schema=wanted)
            if fewer is None:
                return outcome
            asking = replace(asking, accepts=fewer)
            outcome = await self._send(request, asking)
        self._remember(asking.accepts)
        return replace(outcome, adjusted=(*outcome.adjusted, *_adjusted(request, asking)))

    def _remember(self, accepts: Accepts) -> None:
        if accepts is not self._asking.accepts:
            self._asking = replace(self._asking, accepts=self._asking.accepts.both(accepts))

    async def healthy(self) -> bool:
        """Whether `/health` answers 200 now."""
        return await self._get(self._endpoint.health, limit=1) is not None

    async def metrics(self) -> str | None:
        """The server's own counters as Prometheus text; None where it has none."""
        found = await self._get(self._endpoint.metrics, limit=_MAX_METRICS)
        return None if found is None else found.decode("utf-8", "replace")

    async def describe(self) -> dict[str, Any]:
        """What the server says of the model, or nothing."""
        dialect = self._endpoint.dialect
        url = dialect.model_url(self._endpoint.base, model=self._asking.model)
        found = await self._get(url, limit=MAX_ERROR_BODY)
        with suppress(ValueError, LookupError, TypeError):
            return dialect.described(json.loads(found or b""))
        return {}

    async def _get(self, url: str, *, limit: int) -> bytes | None:
        """The first bytes of what is there; None for any status but 200."""
        with suppress(*NETWORK_ERRORS):
            async with self._opened.get(
                url, timeout=aiohttp.ClientTimeout(total=_PROBE_S), allow_redirects=False
            ) as response:
                body = bytearray()
                while response.status == 200 and len(body) < limit:
                    block = await response.content.read(limit - len(body))
                    if not block:
                        break
                    body += block
                return bytes(body) if response.status == 200 else None
        return None

    @property
    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("ChatClient is used outside its `async with`")
        return self._session

    async def _send(self, request: ChatRequest, asking: Asking) -> Outcome:
        self.sent += 1
        exchange = Exchange(
            session=self._opened, endpoint=self._endpoint, runtime=self._runtime, retry=self._retry
        )
        try:
            outcome = await exchange.run(request, asking=asking)
        except NETWORK_ERRORS as error:
            outcome = classify.from_exception(error)
        finally:
            exchange.close()
        return self._fit_to_record(outcome)

    def _fit_to_record(self, outcome: Outcome) -> Outcome:
        """A server may quote the key that it refuses, at any length and in text that no file can hold."""
        if isinstance(outcome, Failure):
            message = self._endpoint.redact(well_formed(outcome.message))
            return replace(outcome, message=message[:_MAX_MESSAGE])
        hide = self._endpoint.redact_answer
        reason = outcome.finish_reason and hide(well_formed(outcome.finish_reason))[:_MAX_MESSAGE]
        text = outcome.text if outcome.text is None else hide(outcome.text)
        return replace(
            outcome,
            text=text,
            finish_reason=reason,
            refusal=outcome.refusal and hide(outcome.refusal),
            adjusted=tuple(well_formed(word)[:_MAX_MESSAGE] for word in outcome.adjusted),
        )


def _adjusted(request: ChatRequest, asking: Asking) -> tuple[str, ...]:
    """What the answer was asked for differently, in the words of `Prediction.adjusted`."""
    unenforced = request.sample.response_schema is not None and asking.schema_for(request) is None
    refused = sorted(asking.accepts.left_out & asking.decoding.model_dump(exclude_none=True).keys())
    return ((NOT_ENFORCED,) if unenforced else ()) + tuple(f"{name} not sent" for name in refused)
