"""Opens the source of answers that a spec names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer.answerers import ChatAnswerer, ReplayAnswerer
from vlmhb_stages.infer.asker import Asker
from vlmhb_stages.infer.client import ChatClient
from vlmhb_stages.infer.endpoint import Endpoint, http_endpoint, read_secret, socket_endpoint
from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.images import ImageStore
from vlmhb_stages.infer.outcomes import Attempt
from vlmhb_stages.infer.pending import Answerer
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.infer.server import Gate, OpenGate, OwnServer
from vlmhb_stages.specs import HttpBackend, InferSpec, ReplayBackend


class NoBackend(Exception):
    """The backend of the spec cannot be used; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of the driver: what to do, and the world it happens in."""

    spec: InferSpec
    events: EventWriter
    resolve: Callable[[str], Path]
    runtime: Runtime
    halt: Halt

    @property
    def samples(self) -> Path:
        return self.resolve(self.spec.inputs) / "samples.jsonl"


@asynccontextmanager
async def open_answerer(job: Job, *, on_attempt: Callable[[Attempt], None]) -> AsyncIterator[Answerer]:
    """Sends nothing yet. Raises `NoBackend`, and `BadAnswers` for an unusable answers file."""
    backend = job.spec.backend
    if isinstance(backend, ReplayBackend):
        path = job.resolve(backend.answers)
        yield await ReplayAnswerer.open(path, samples=job.samples, events=job.events)
        return
    endpoint = (
        _http(job, backend)
        if isinstance(backend, HttpBackend)
        else socket_endpoint(job.resolve(backend.sockets[0]))
    )
    async with ChatClient(endpoint=endpoint, retry=job.spec.retry, runtime=job.runtime) as client:
        asker = Asker(
            client=client,
            gate=_gate(job, endpoint, client),
            policy=job.spec.retry,
            halt=job.halt,
            runtime=job.runtime,
            on_attempt=on_attempt,
        )
        images = ImageStore(job.resolve(job.spec.media), made=job.resolve(job.spec.inputs) / "media")
        yield ChatAnswerer(job.spec, client=client, asker=asker, images=images, server=endpoint.name)


def _http(job: Job, backend: HttpBackend) -> Endpoint:
    try:
        secret = read_secret(job.resolve(backend.api_key_file)) if backend.api_key_file else None
        return http_endpoint(backend, secret=secret)
    except OSError as error:
        raise NoBackend(f"the API key cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise NoBackend(str(error)) from error


def _gate(job: Job, endpoint: Endpoint, client: ChatClient) -> Gate:
    if endpoint.socket is None:
        return OpenGate()
    return OwnServer(
        socket=endpoint.socket,
        healthy=client.healthy,
        wait_s=job.spec.retry.server_wait_s,
        events=job.events,
        halt=job.halt,
        runtime=job.runtime,
    )
