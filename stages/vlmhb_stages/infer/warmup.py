"""Sends requests before the measured ones, so that a server's first slow answers are in no figure.

The first samples are sent, as they will be asked; their answers are thrown away. All that is recorded is how many
requests it took.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

from vlmhb_stages.contracts import Sample
from vlmhb_stages.infer.budget import BudgetEnded
from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.outcomes import Attempt
from vlmhb_stages.infer.pending import Answerer, Pending
from vlmhb_stages.infer.samples import read_samples


class WarmUp:
    """`wanted` requests, `at_once` of them in flight. A start that has nothing left to ask warms nothing up.

    A stop does not wait for them: nobody needs their answers."""

    def __init__(self, *, wanted: int, samples: Path, at_once: int, halt: Halt) -> None:
        self.sent = 0
        self._halt = halt
        self._wanted = wanted
        self._samples = samples
        self._at_once = at_once
        self._is_done = wanted == 0
        self._is_running = False

    def measured_only(self, on_attempt: Callable[[Attempt], None]) -> Callable[[Attempt], None]:
        """`on_attempt` for what is no warm-up; that is only counted."""

        def told(attempt: Attempt) -> None:
            if self._is_running:
                self.sent += 1
            else:
                on_attempt(attempt)

        return told

    async def once(self, answerer: Answerer) -> None:
        """Call before every request that is to be measured, while none is in flight yet. Raises what asking raises,
        but for a budget that has ended: the first measured request will say so."""
        if self._is_done:
            return
        self._is_done = self._is_running = True
        try:
            await self._send(answerer)
        finally:
            self._is_running = False

    async def _send(self, answerer: Answerer) -> None:
        room = asyncio.Semaphore(self._at_once)

        async def ask(sample: Sample) -> None:
            async with room:
                answering = await answerer.prepare(Pending(sample=sample, request_hash="warm-up"))
                await answering()

        samples = await asyncio.to_thread(lambda: list(self._first()))
        tasks = [asyncio.create_task(ask(sample)) for sample in islice(cycle(samples), self._wanted)]
        try:
            await self._halt.race(_all(tasks))
        except BudgetEnded:
            return
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    def _first(self) -> Iterator[Sample]:
        usable = (sample for sample in read_samples(self._samples) if sample.error is None)
        return islice(usable, self._wanted)


async def _all(tasks: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks)
