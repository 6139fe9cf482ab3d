"""Prepares a few samples ahead of those that are asked, so that no server waits for an image to be read and encoded.

Encoding is done by threads, which wait for the interpreter each time they have read or hashed something: one sample at
a time would keep 64 requests in flight waiting for the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from vlmhb_stages.infer.pending import Answerer, Answering, Pending

_DEEPEST = 4
_SHARE = 8  # of the requests in flight: none for a single one, whose time in the queue would only grow


def depth_for(in_flight: int) -> int:
    return min(_DEEPEST, in_flight // _SHARE)


class Ahead:
    """Gives back what it is given, prepared and in the same order, `depth` samples later.

    Use as an asynchronous context: leaving it drops what was not taken."""

    def __init__(self, answerer: Answerer, *, depth: int) -> None:
        self._answerer = answerer
        self._depth = depth
        self._tasks: deque[asyncio.Task[Answering]] = deque()

    async def __aenter__(self) -> Ahead:
        return self

    async def __aexit__(self, *_: object) -> None:
        left = list(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    async def add(self, pending: Pending) -> Answering | None:
        """The oldest one, as soon as more than `depth` are on their way; None until then."""
        if self._depth == 0:
            return await self._answerer.prepare(pending)
        self._tasks.append(asyncio.create_task(_prepared(self._answerer, pending)))
        return await self._oldest() if len(self._tasks) > self._depth else None

    async def rest(self) -> AsyncIterator[Answering]:
        """All that were added and not given back yet."""
        while self._tasks:
            yield await self._oldest()

    async def _oldest(self) -> Answering:
        task = self._tasks[0]
        try:
            return await task
        finally:
            self._tasks.popleft()


async def _prepared(answerer: Answerer, pending: Pending) -> Answering:
    return await answerer.prepare(pending)
