"""A sample that can be put to a server in more than one form: as it was asked, or smaller where that is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from vlmhb_stages.contracts import Sample
from vlmhb_stages.infer.adjust import UNCHANGED, Adjustment, without_turns
from vlmhb_stages.infer.body import ChatRequest
from vlmhb_stages.infer.images import ImageStore
from vlmhb_stages.infer.pending import Pending


@dataclass(frozen=True, kw_only=True)
class Question:
    """`ready`: when it could have been sent first, by `Runtime.perf`."""

    pending: Pending
    images: ImageStore
    first: ChatRequest
    ready: float

    @property
    def sample(self) -> Sample:
        return self.pending.sample

    async def request(self, form: Adjustment, *, max_side: int | None) -> ChatRequest:
        """`max_side`: what the place takes. Raises `BadImage` when an image cannot be made smaller."""
        if form == UNCHANGED and (max_side == self.images.max_side or not self.sample.images):
            return self.first
        images = self.images.limited(max_side)
        return await asyncio.to_thread(_rendered, self.pending, form, images=images)


async def question(pending: Pending, *, images: ImageStore, clock: Callable[[], float]) -> Question:
    """Reads and encodes the images, off the event loop. Raises `BadImage`."""
    first = await asyncio.to_thread(_rendered, pending, UNCHANGED, images=images)
    return Question(pending=pending, images=images, first=first, ready=clock())


def _rendered(pending: Pending, form: Adjustment, *, images: ImageStore) -> ChatRequest:
    sample = without_turns(pending.sample, dropped=form.turns_dropped)
    return ChatRequest(
        sample=sample,
        request_hash=pending.request_hash,
        data_urls=tuple(images.data_url(image, scale=form.image_scale) for image in sample.images),
        adjusted=form.told,
    )
