"""Gives every sample what it needs: its record of an earlier start, one from elsewhere, an answer, or none for want of
money."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from itertools import chain
from pathlib import Path
from typing import Any

from vlmhb_stages.contracts import Prediction, SampleError
from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.index import Recorded
from vlmhb_stages.infer.lookback import Lookback
from vlmhb_stages.infer.pending import Pending, failed
from vlmhb_stages.infer.recorder import Recorder
from vlmhb_stages.infer.request_hash import request_hash_of
from vlmhb_stages.infer.samples import parsed
from vlmhb_stages.infer.tally import Tally
from vlmhb_stages.specs import InferSpec

_BREATHE_EVERY = 25  # samples between two turns of the event loop: under a millisecond

Ask = Callable[[Pending], Coroutine[Any, Any, None]]


class Feed:
    """Samples without any record of our own come first: a run of a million begins to ask at once."""

    def __init__(
        self,
        path: Path,
        *,
        spec: InferSpec,
        found: Lookback,
        recorder: Recorder,
        tally: Tally,
        halt: Halt,
    ) -> None:
        self._path = path
        self._spec = spec
        self._found = found
        self._recorder = recorder
        self._halt = halt
        for fate, count in found.own.index.kept.items():
            tally.add(fate, count)

    async def ask(self, ask: Ask) -> None:
        """Every sample once. Raises `Halted` when a stop is asked for, `BadSamples` for a file that breaks the
        contract."""
        async for pending, recorded in self._open():
            self._halt.check()
            if recorded is not None and self._found.own.holds(recorded, pending):
                self._recorder.keep(pending.sample.sample_id.encode(), recorded)
            else:
                await self._import_or(ask, pending)

    async def skip(self) -> None:
        """For a budget that has ended, after `ask`: what has no record yet and is found nowhere is not asked."""
        async for pending, recorded in self._open():
            if recorded is not None and self._found.own.answers(recorded, pending.request_hash):
                self._recorder.keep(pending.sample.sample_id.encode(), recorded)
            else:
                await self._import_or(self._record_skipped, pending)

    async def _open(self) -> AsyncIterator[tuple[Pending, Recorded | None]]:
        """Samples that have no record yet; those that never had one come first."""
        samples = self._found.open_samples
        with self._path.open("rb") as file:
            for number, line in enumerate(chain(samples.of(with_record=False), samples.of(with_record=True))):
                file.seek(line.offset)
                sample = parsed(file.readline(), number=line.number)
                request_hash = request_hash_of(sample, spec=self._spec)
                yield Pending(sample=sample, request_hash=request_hash), line.recorded
                if number % _BREATHE_EVERY == 0:
                    await asyncio.sleep(0)

    async def _record_skipped(self, pending: Pending) -> None:
        unusable = pending.sample.error
        if unusable is not None:
            self._recorder.record(failed(pending, kind=unusable.kind, message=unusable.message))
            return
        error = SampleError(kind="budget", message="not asked: the budget is used up")
        self._recorder.record(
            Prediction(
                sample_id=pending.sample.sample_id,
                request_hash=pending.request_hash,
                prompt_sha256=pending.sample.prompt_sha256,
                status="skipped_budget",
                attempts=0,
                error=error,
            )
        )

    async def _import_or(self, ask: Ask, pending: Pending) -> None:
        others = self._found.others
        if not others.is_read:
            await asyncio.to_thread(others.read)
        imported = others.find(pending.sample, request_hash=pending.request_hash)
        if imported is not None:
            self._recorder.record(imported)
        else:
            await ask(pending)
