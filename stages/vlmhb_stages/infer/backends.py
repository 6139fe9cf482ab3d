"""Opens the source of answers that a spec names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from vlmhb_stages.infer.answerers import ChatAnswerer, ReplayAnswerer
from vlmhb_stages.infer.asker import Asker
from vlmhb_stages.infer.images import ImageStore
from vlmhb_stages.infer.job import Job, NoBackend
from vlmhb_stages.infer.outcomes import Attempt
from vlmhb_stages.infer.pending import Answerer
from vlmhb_stages.infer.route import open_tiers
from vlmhb_stages.specs import ReplayBackend

__all__ = ["Job", "NoBackend", "open_answerer"]


@asynccontextmanager
async def open_answerer(job: Job, *, on_attempt: Callable[[Attempt], None]) -> AsyncIterator[Answerer]:
    """Sends nothing yet. Raises `NoBackend`, and `BadAnswers` for an unusable answers file."""
    spec = job.spec
    if isinstance(spec.backend, ReplayBackend):
        path = job.resolve(spec.backend.answers)
        yield await ReplayAnswerer.open(path, samples=job.samples, events=job.events)
        return
    async with open_tiers(job) as tiers:
        asker = Asker(
            tiers=tiers,
            halt=job.halt,
            runtime=job.runtime,
            on_attempt=on_attempt,
        )
        images = ImageStore(
            job.resolve(spec.media), made=job.resolve(spec.inputs) / "media", max_side=spec.max_image_side
        )
        yield ChatAnswerer(tiers, asker=asker, images=images, clock=job.runtime.perf)
