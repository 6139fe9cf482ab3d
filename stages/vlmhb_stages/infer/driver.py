"""The infer stage: reads samples, asks for answers, records every one, and can be stopped anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from vlmhb_stages import paths
from vlmhb_stages.contracts import InferSummary, SampleError
from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer.backends import Job, open_answerer
from vlmhb_stages.infer.ends import KNOWN, Exit, end_of
from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.pending import Answerer, Answering, Pending
from vlmhb_stages.infer.policy import error_policy
from vlmhb_stages.infer.pool import Pool
from vlmhb_stages.infer.pulse import Pulse, beside
from vlmhb_stages.infer.recorder import Recorder
from vlmhb_stages.infer.request_hash import request_hash
from vlmhb_stages.infer.resume import PREDICTIONS, OwnRecords, PreviousRecords
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.infer.samples import count_samples, read_samples
from vlmhb_stages.infer.tally import Tally
from vlmhb_stages.journal import write_atomic
from vlmhb_stages.signals import stop_signals
from vlmhb_stages.specs import InferSpec

SUMMARY = "summary.json"
_BREATHE_EVERY = 100  # kept samples between two turns of the event loop


def run(
    spec: InferSpec,
    *,
    events: EventWriter,
    resolve: Callable[[str], Path] = paths.resolve,
    runtime: Runtime | None = None,
) -> int:
    """Runs the stage to its end; the exit code is one of `ends.Exit`. Raises what is no known failure."""
    try:
        return int(asyncio.run(_start(spec, events=events, resolve=resolve, runtime=runtime or Runtime())))
    except KNOWN as error:
        end = end_of(error)
        if end is None:
            raise
    with suppress(OSError):  # a full disk may refuse this as well
        events.emit("fatal", code=end.code, message=end.message, hint=end.hint)
    return int(end.exit)


async def _start(
    spec: InferSpec, *, events: EventWriter, resolve: Callable[[str], Path], runtime: Runtime
) -> Exit:
    halt = Halt()
    job = Job(spec=spec, events=events, resolve=resolve, runtime=runtime, halt=halt)
    with stop_signals(partial(halt.on_signal, grace_s=spec.drain_s)):
        return await _Driver(job).run()


class _Driver:
    """One run: look back, feed the pool with what is not recorded yet, end."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._spec = job.spec
        self._halt = job.halt
        self._out = job.resolve(paths.OUT)
        self._started = job.runtime.monotonic()
        self._policy = error_policy(job.spec.error_policy)
        self._tally = Tally()
        self._pulse = Pulse(events=job.events, tally=self._tally, clock=job.runtime.monotonic)
        self._requests = 0
        self._first_errors: dict[str, str] = {}  # kind -> message
        self._server: dict[str, Any] = {}

    async def run(self) -> Exit:
        async with beside(self._pulse.beat(self._spec.heartbeat_s), halt=self._halt):
            self._tally.planned, own, previous = await asyncio.to_thread(self._look_back)
            self._warn_of_corrupt(own.recovery.corrupt + previous.corrupt)
            with Recorder(self._out, tally=self._tally, clock=self._job.runtime.monotonic) as recorder:
                async with (
                    self._answerer(recorder) as answerer,
                    Pool(limit=max(1, self._spec.concurrency), halt=self._halt) as pool,
                ):
                    await self._feed(pool, answerer, recorder=recorder, own=own, previous=previous)
            if self._halt.failure is not None:
                with suppress(OSError):
                    self._summarise()
                raise self._halt.failure
            if self._tally.is_complete:
                await asyncio.to_thread(recorder.finish)
            return self._end()

    def _look_back(self) -> tuple[int, OwnRecords, PreviousRecords]:
        """How many samples are planned, and what is recorded already."""
        # recorded answers belong to an id: two pages with the same request have different ones
        shared = () if self._spec.backend.kind == "replay" else self._spec.previous
        folders = [self._job.resolve(folder) for folder in shared]
        return count_samples(self._job.samples), OwnRecords(self._out / PREDICTIONS), PreviousRecords(folders)

    @asynccontextmanager
    async def _answerer(self, recorder: Recorder) -> AsyncIterator[Answerer]:
        async with (
            beside(self._pulse.tick(recorder.sync), halt=self._halt),
            open_answerer(self._job, on_attempt=recorder.record_attempt) as answerer,
        ):
            try:
                yield answerer
            finally:
                self._requests = answerer.requests
            if not self._halt.asked:
                self._server = await answerer.describe()

    async def _feed(
        self,
        pool: Pool,
        answerer: Answerer,
        *,
        recorder: Recorder,
        own: OwnRecords,
        previous: PreviousRecords,
    ) -> None:
        """Streams the samples through the pool; those with a record are only counted."""
        self._pulse.progress()
        for number, sample in enumerate(read_samples(self._job.samples)):
            self._halt.check()
            recorder.expect(sample)
            identity = request_hash(
                sample, decoding=self._spec.decoding, model_identity=self._spec.model_identity
            )
            kept = own.take(sample, request_hash=identity)
            imported = None if kept else previous.find(sample, request_hash=identity)
            if kept is not None:
                recorder.keep(sample, kept)
            elif imported is not None:
                recorder.record(imported)
            else:
                answering = await answerer.prepare(Pending(sample=sample, request_hash=identity))
                await pool.start(partial(self._settle, answering, recorder))
            if number % _BREATHE_EVERY == 0:
                await asyncio.sleep(0)

    async def _settle(self, answering: Answering, recorder: Recorder) -> None:
        """One sample to its record, and what follows from it for the run."""
        prediction = await answering()
        recorder.record(prediction)
        self._pulse.progress()
        if prediction.error is not None:
            self._tell_first(prediction.sample_id, prediction.error)
            if self._policy.is_exceeded(self._tally):
                self._halt.drain("errors")

    def _tell_first(self, sample_id: str, error: SampleError) -> None:
        """The first error of each kind at once and in words; all of them are in the records."""
        if error.kind not in self._first_errors:
            self._first_errors[error.kind] = error.message
            self._job.events.emit(
                "warning", message=f"sample {sample_id}: {error.kind}: {error.message[:500]}"
            )

    def _end(self) -> Exit:
        self._pulse.progress(last=True)
        self._summarise()
        tally, events = self._tally, self._job.events
        if self._halt.reason == "errors":
            message = f"{tally.errors} of {tally.planned} samples failed: {_kinds(tally.error_kinds)}"
            if self._first_errors:
                message += f"; the first: {next(iter(self._first_errors.values()))[:500]}"
            events.emit(
                "fatal",
                code="VHB501",
                message=message,
                hint=f"attempts.jsonl has every error; error_policy is {self._spec.error_policy}",
            )
            return Exit.TOO_MANY_ERRORS
        if not tally.is_complete:
            events.emit(
                "warning", message=f"interrupted: {tally.done} of {tally.planned} samples are recorded"
            )
            return Exit.INTERRUPTED
        if tally.answers_are_all_empty:
            events.emit("warning", message="every answer is empty: the model runs, but says nothing")
        events.emit("end", **tally.counts.model_dump())
        return Exit.DONE

    def _summarise(self) -> None:
        summary = InferSummary(
            counts=self._tally.counts,
            imported=self._tally.imported,
            requests=self._requests,
            wall_s=round(self._job.runtime.monotonic() - self._started, 3),
            errors=self._tally.error_kinds,
            server=self._server or _server_before(self._out / SUMMARY),
        )
        write_atomic(self._out / SUMMARY, [summary.model_dump_json(indent=2).encode() + b"\n"])

    def _warn_of_corrupt(self, lines: int) -> None:
        if lines:
            self._job.events.emit(
                "warning", message=f"{lines} unreadable lines in recorded predictions are ignored"
            )


def _server_before(summary: Path) -> dict[str, Any]:
    """A run that asks nobody keeps what the server said of itself to an earlier one."""
    try:
        return InferSummary.model_validate_json(summary.read_bytes()).server
    except (OSError, ValueError):
        return {}


def _kinds(kinds: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())
