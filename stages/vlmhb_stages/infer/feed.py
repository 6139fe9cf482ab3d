"""Gives every sample what it needs: its record of an earlier start, one from elsewhere, an answer, or none for want of
money."""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from vlmhb_stages.contracts import Prediction, SampleError
from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.lookback import Lookback
from vlmhb_stages.infer.pending import Pending, failed
from vlmhb_stages.infer.recorder import Recorder
from vlmhb_stages.infer.request_hash import request_hash_of
from vlmhb_stages.infer.samples import SampleLine, read_lines
from vlmhb_stages.infer.tally import Tally
from vlmhb_stages.specs import InferSpec

_BREATHE_EVERY = 25  # samples between two turns of the event loop: under a millisecond
_BREATHE_EVERY_KNOWN = 1000  # where only their ids are read

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
        self._tally = tally
        self._halt = halt
        self._imports = 0
        self._later = array(
            "q"
        )  # offset and number of a line, and its record, which must be looked at closely

    async def ask(self, ask: Ask) -> None:
        """Every sample once. Raises `Halted` when a stop is asked for, `BadSamples` for a file that breaks the
        contract."""
        await self._walk(ask)
        with self._path.open("rb") as file:
            for i in range(0, len(self._later), 3):
                offset, number, packed = self._later[i : i + 3]
                file.seek(offset)
                pending = self._pending(SampleLine(b"", file.readline(), offset, number))
                recorded = self._recorder.index.recorded(packed)
                if self._found.own.holds(recorded, pending.sample, request_hash=pending.request_hash):
                    self._recorder.keep(pending.sample.sample_id.encode(), recorded)
                else:
                    await self._import_or(ask, pending)
                if i % (3 * _BREATHE_EVERY) == 0:
                    await asyncio.sleep(0)
                self._halt.check()

    async def skip(self) -> None:
        """For a budget that has ended, after `ask`: what has no record yet and is found nowhere is not asked."""
        index, held = self._recorder.index, self._held()
        for line in read_lines(self._path):
            if line.number % _BREATHE_EVERY == 0:
                await asyncio.sleep(0)
            packed = held.pop(line.number, None)
            if line.number > index.claimed:
                recorded = index.claim(line.key)
            elif index.has_record(line.number - 1):
                continue
            else:
                recorded = index.recorded(packed) if packed is not None else None
            pending = self._pending(line)
            if recorded is not None and self._found.own.answers(recorded, pending.request_hash):
                self._recorder.keep(line.key, recorded)
            else:
                await self._import_or(self._record_skipped, pending)

    def _held(self) -> dict[int, int]:
        """Records by line number that were put aside and not looked at yet."""
        later, index = self._later, self._recorder.index
        numbers = range(0, len(later), 3)
        return {later[i + 1]: later[i + 2] for i in numbers if not index.has_record(later[i + 1] - 1)}

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

    async def _walk(self, ask: Ask) -> None:
        """Through the whole file; samples that have a record which may be of another request are put aside."""
        index, is_trusted, kept = self._recorder.index, self._found.is_trusted, Counter[int]()
        try:
            for line in read_lines(self._path):
                fate = index.keep_next(line.key) if is_trusted else None
                if fate is not None:
                    kept[fate] += 1
                elif (recorded := index.claim(line.key)) is not None:
                    self._later.extend((line.offset, line.number, recorded.packed))
                else:
                    self._halt.check()
                    self._count(kept)
                    await self._import_or(ask, self._pending(line))
                if line.number % _BREATHE_EVERY_KNOWN == 0:
                    self._halt.check()
                    self._count(kept)
                    await asyncio.sleep(0)
        finally:
            self._count(kept)

    def _count(self, kept: Counter[int]) -> None:
        for fate, count in kept.items():
            self._tally.add(self._recorder.index.fates[fate], count)
        kept.clear()

    def _pending(self, line: SampleLine) -> Pending:
        sample = line.parse()
        return Pending(sample=sample, request_hash=request_hash_of(sample, spec=self._spec))

    async def _import_or(self, ask: Ask, pending: Pending) -> None:
        others = self._found.others
        if not others.is_read:
            await asyncio.to_thread(others.read)
        imported = others.find(pending.sample, request_hash=pending.request_hash)
        if imported is not None:
            self._recorder.record(imported)
            self._imports += 1
            if self._imports % _BREATHE_EVERY == 0:
                await asyncio.sleep(0)
        else:
            await ask(pending)
