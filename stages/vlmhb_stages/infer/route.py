"""Opens every place that a spec names, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from vlmhb_stages.infer.asker import RETRY_AFTER_FACTOR
from vlmhb_stages.infer.breaker import Breaker
from vlmhb_stages.infer.client import ChatClient
from vlmhb_stages.infer.endpoint import Endpoint, http_endpoint, read_secret, socket_endpoint
from vlmhb_stages.infer.job import Job, NoBackend
from vlmhb_stages.infer.place import Place
from vlmhb_stages.infer.rate import RateWindow
from vlmhb_stages.infer.server import OwnServer
from vlmhb_stages.infer.throttle import Throttle
from vlmhb_stages.infer.tier import Tier
from vlmhb_stages.infer.toll import Toll
from vlmhb_stages.infer.turnstile import Turnstile
from vlmhb_stages.infer.window import AdaptiveWindow, FixedWindow
from vlmhb_stages.specs import HttpBackend, InferSpec, Manner, Price, RateLimit, SocketBackend, Target


def most_in_flight(spec: InferSpec) -> int:
    """Samples that are worked on at once: as many as the places of the primary take together."""
    sockets = len(spec.backend.sockets) if isinstance(spec.backend, SocketBackend) else 1
    return max(1, spec.concurrency) * max(1, sockets)


@asynccontextmanager
async def open_tiers(job: Job) -> AsyncIterator[tuple[Tier, ...]]:
    """The primary first, then the fallbacks. Sends nothing yet. Raises `NoBackend`."""
    async with AsyncExitStack() as stack:
        opener = _Opener(job, stack)
        tiers = [await opener.primary()]
        for target in job.spec.fallbacks:
            tiers.append(await opener.fallback(target))
        try:
            yield tuple(tiers)
        finally:
            for tier in tiers:
                await tier.close()


class _Opener:
    """Clients are closed by `stack`."""

    def __init__(self, job: Job, stack: AsyncExitStack) -> None:
        self._job = job
        self._stack = stack

    async def primary(self) -> Tier:
        spec = self._job.spec
        if isinstance(spec.backend, HttpBackend):
            places = [await self._url(spec.backend, model=spec.model, manner=spec)]
        elif isinstance(spec.backend, SocketBackend):
            sockets = [self._job.resolve(socket) for socket in spec.backend.sockets]
            places = [await self._own(n, socket, of=len(sockets)) for n, socket in enumerate(sockets)]
        else:
            raise RuntimeError("recorded answers are not asked for")
        return self._tier(places, fallback=None, manner=spec, price=spec.price, rate=spec.rate)

    async def fallback(self, target: Target) -> Tier:
        manner = target.manner or self._job.spec
        place = await self._url(target.backend, model=target.model, manner=manner)
        return self._tier([place], fallback=target.name, manner=manner, price=target.price, rate=target.rate)

    def _tier(
        self,
        places: list[Place],
        *,
        fallback: str | None,
        manner: Manner,
        price: Price | None,
        rate: RateLimit,
    ) -> Tier:
        job = self._job
        return Tier(
            fallback=fallback,
            places=places,
            manner=manner,
            throttle=Throttle(RateWindow(rate), halt=job.halt, runtime=job.runtime),
            toll=Toll(purse=job.purse, price=price, decoding=manner.decoding),
            halt=job.halt,
            runtime=job.runtime,
        )

    async def _url(self, backend: HttpBackend, *, model: str, manner: Manner) -> Place:
        endpoint = _endpoint(self._job, backend)
        client = await self._client(endpoint, model=model, manner=manner)
        return self._place(endpoint.name, client, manner=manner, own=None)

    async def _own(self, number: int, socket: Path, *, of: int) -> Place:
        job = self._job
        spec = job.spec
        client = await self._client(socket_endpoint(socket), model=spec.model, manner=spec)
        server = OwnServer(
            number=number,
            socket=socket,
            healthy=client.healthy,
            wait_s=spec.retry.server_wait_s,
            events=job.events,
            runtime=job.runtime,
            turnstile=Turnstile(job.halt),
        )
        return self._place("socket" if of == 1 else f"socket {number}", client, manner=spec, own=server)

    async def _client(self, endpoint: Endpoint, *, model: str, manner: Manner) -> ChatClient:
        client = ChatClient(
            endpoint=endpoint,
            retry=manner.retry,
            runtime=self._job.runtime,
            model=model,
            decoding=manner.decoding,
            structured=manner.structured,
        )
        return await self._stack.enter_async_context(client)

    def _place(self, name: str, client: ChatClient, *, manner: Manner, own: OwnServer | None) -> Place:
        clock = self._job.runtime.monotonic
        limit = max(1, manner.concurrency)
        return Place(
            name=name,
            client=client,
            window=AdaptiveWindow(limit) if manner.adaptive and own is None else FixedWindow(limit),
            breaker=Breaker(manner.breaker, clock=clock),
            own=own,
            longest_hold_s=manner.retry.max_s * RETRY_AFTER_FACTOR,
            tell=partial(_warn, self._job),
            clock=clock,
        )


def _warn(job: Job, message: str) -> None:
    job.events.emit("warning", code="VHB503", message=f"VHB503: {message}")


def _endpoint(job: Job, backend: HttpBackend) -> Endpoint:
    try:
        secret = read_secret(job.resolve(backend.api_key_file)) if backend.api_key_file else None
        return http_endpoint(backend, secret=secret)
    except OSError as error:
        raise NoBackend(f"the API key cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise NoBackend(str(error)) from error
