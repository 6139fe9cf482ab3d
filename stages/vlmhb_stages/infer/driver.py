"""The infer stage: reads samples, asks for answers, records every one, and can be stopped anywhere."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

from vlmhb_stages import paths
from vlmhb_stages.contracts import InferSummary, SampleError
from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer.accounts import Accounts, open_accounts
from vlmhb_stages.infer.ahead import Ahead, depth_for
from vlmhb_stages.infer.backends import Job, open_answerer
from vlmhb_stages.infer.budget import BudgetEnded
from vlmhb_stages.infer.ends import KNOWN, Exit, end_of
from vlmhb_stages.infer.feed import Feed
from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.host_watch import watch_host
from vlmhb_stages.infer.lookback import Lookback, look_back
from vlmhb_stages.infer.pending import Answerer, Answering, Pending
from vlmhb_stages.infer.policy import error_policy
from vlmhb_stages.infer.pool import Pool
from vlmhb_stages.infer.pulse import Gauges, Pulse, beside
from vlmhb_stages.infer.recorder import Recorder
from vlmhb_stages.infer.route import most_in_flight
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.infer.tally import Tally
from vlmhb_stages.infer.telemetry import Telemetry
from vlmhb_stages.journal import write_atomic
from vlmhb_stages.signals import stop_signals
from vlmhb_stages.specs import InferSpec

SUMMARY = "summary.json"
_REFUSED = re.compile(r"HTTP 40[123]:")  # no key, no money, no leave: a verdict on us, not on the request
_REFUSALS = 3  # in a row, from the first request on


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
    with (
        stop_signals(partial(halt.on_signal, grace_s=spec.drain_s)),
        open_accounts(
            spec, out=resolve(paths.OUT), events=events, resolve=resolve, halt=halt, runtime=runtime
        ) as accounts,
    ):
        job = Job(spec=spec, events=events, resolve=resolve, runtime=runtime, halt=halt, purse=accounts.purse)
        return await _Driver(job, accounts).run()


class _Driver:
    """One run: look back, feed the pool with what is not recorded yet, end."""

    def __init__(self, job: Job, accounts: Accounts) -> None:
        self._job = job
        self._spec = job.spec
        self._halt = job.halt
        self._accounts = accounts
        self._out = job.resolve(paths.OUT)
        self._started = job.runtime.monotonic()
        self._policy = error_policy(job.spec.error_policy)
        self._tally = Tally()
        self._pulse = Pulse(events=job.events, tally=self._tally, clock=job.runtime.monotonic)
        self._telemetry = Telemetry(job, earlier=self._out / SUMMARY)
        self._requests = 0
        self._first_errors: dict[str, str] = {}  # kind -> message
        self._server: dict[str, Any] = {}
        self._asked = 0  # samples of this start
        self._refusals = 0
        self._unpaid = 0.0  # what the request could cost at which the budget ended

    async def run(self) -> Exit:
        async with (
            beside(self._pulse.beat(self._spec.heartbeat_s), halt=self._halt),
            beside(self._watch_host(), halt=self._halt),
        ):
            while not await self._round():
                self._tally.clear()
            return self._end()

    async def _watch_host(self) -> None:
        host, spec = self._spec.host, self._spec
        if host is not None:
            folder = self._job.resolve(host.folder)
            await watch_host(
                folder,
                silent_s=host.silent_s,
                grace_s=spec.drain_s,
                halt=self._halt,
                runtime=self._job.runtime,
            )

    async def _round(self) -> bool:
        """Once through the samples. False: recorded lines turned out to be unreadable, so once more."""
        found = await look_back(self._job)
        self._tally.planned = found.planned
        self._warn_of_corrupt(found.own.corrupt)
        clock = self._job.runtime.monotonic
        with (
            closing(found.own),
            closing(found.others),
            Recorder(self._out, index=found.own.index, tally=self._tally, clock=clock) as recorder,
        ):
            await self._ask_all(found, recorder)
        self._warn_of_corrupt(found.others.corrupt)
        if self._halt.failure is not None:
            with suppress(OSError):
                self._summarise()
            raise self._halt.failure
        if not self._tally.is_complete:
            return True
        unreadable = await asyncio.to_thread(recorder.finish)
        if not unreadable:
            found.guard.put_up()
        return not unreadable

    async def _ask_all(self, found: Lookback, recorder: Recorder) -> None:
        feed = Feed(
            self._job.samples,
            spec=self._spec,
            found=found,
            recorder=recorder,
            tally=self._tally,
            halt=self._halt,
        )
        limit = most_in_flight(self._spec)
        async with (
            self._answerer(recorder) as answerer,
            Pool(limit=limit, halt=self._halt) as pool,
            Ahead(answerer, depth=depth_for(limit)) as ahead,
        ):
            self._pulse.gauges = Gauges(
                in_flight=lambda: pool.in_flight, cost=self._accounts.shown, asked=lambda: self._asked
            )
            self._pulse.progress()

            async def ask(pending: Pending) -> None:
                await self._telemetry.warm_up(answerer)
                answering = await ahead.add(pending)
                if answering is not None:
                    await pool.start(partial(self._settle, answering, recorder))

            await feed.ask(ask)
            async for answering in ahead.rest():
                await pool.start(partial(self._settle, answering, recorder))
        if self._halt.reason == "budget" and self._halt.failure is None:
            await feed.skip()

    @asynccontextmanager
    async def _answerer(self, recorder: Recorder) -> AsyncIterator[Answerer]:
        def sync() -> None:
            recorder.sync()
            self._accounts.sync()

        async with (
            beside(self._pulse.tick(sync, tell=self._job.purse.tell), halt=self._halt),
            open_answerer(
                self._job, on_attempt=self._telemetry.attempts(recorder.record_attempt)
            ) as answerer,
            self._telemetry.watching(answerer),
        ):
            before = self._requests
            try:
                yield answerer
            finally:
                self._requests = before + answerer.requests
            if not self._halt.asked:
                self._server = await answerer.describe()

    async def _settle(self, answering: Answering, recorder: Recorder) -> None:
        """One sample to its record, and what follows from it for the run."""
        try:
            prediction = await answering()
        except BudgetEnded as end:
            self._unpaid = end.amount
            self._halt.drain("budget")
            return
        recorder.record(prediction)
        self._asked += 1
        self._pulse.progress()
        if prediction.error is not None:
            self._tell_first(prediction.sample_id, prediction.error)
            self._refusals += _REFUSED.match(prediction.error.message) is not None
            if self._policy.is_exceeded(self._tally) or self._is_refused:
                self._halt.drain("errors")

    @property
    def _is_refused(self) -> bool:
        """The server wants no request of ours, whatever it holds: a wrong key would cost every sample an error."""
        return self._refusals == self._asked >= _REFUSALS

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
            self._tell_of_errors()
            return Exit.TOO_MANY_ERRORS
        if not tally.is_complete:
            self._tell_of_the_rest()
            return Exit.INTERRUPTED
        unheard = tally.error_kinds.get("connection", 0)
        if unheard:
            events.emit(
                "warning",
                message=f"{unheard} of {tally.planned} samples failed because nobody could be reached; "
                "the same command asks them again",
            )
        if tally.answers_are_all_empty:
            events.emit("warning", message="every answer is empty: the model runs, but says nothing")
        events.emit("end", **tally.counts.model_dump())
        if self._halt.reason == "budget":
            self._tell_of_budget()
            return Exit.BUDGET
        return Exit.DONE

    def _tell_of_the_rest(self) -> None:
        tally, events = self._tally, self._job.events
        recorded = f"interrupted: {tally.done} of {tally.planned} samples are recorded"
        events.emit("warning", message=recorded)
        if self._halt.reason == "host" and self._spec.host is not None:
            message = f"no sign of life of vlmhb itself for {self._spec.host.silent_s:g} s"
            events.emit("fatal", code="VHB530", message=message, hint="the same command continues")

    def _tell_of_errors(self) -> None:
        tally = self._tally
        message = f"{tally.errors} of {tally.planned} samples failed: {_kinds(tally.error_kinds)}"
        if self._first_errors:
            message += f"; the first: {next(iter(self._first_errors.values()))[:500]}"
        hint = f"attempts.jsonl has every error; error_policy is {self._spec.error_policy}"
        if self._is_refused:
            hint = "check the API key and the account; the same command continues"
        self._job.events.emit("fatal", code="VHB501", message=message, hint=hint)

    def _tell_of_budget(self) -> None:
        tally = self._tally
        message = (
            f"the budget is used up ({self._accounts.in_words}): "
            f"{tally.skipped} of {tally.planned} samples were not asked, "
            f"of which the next could cost up to {self._unpaid:.3g}"
        )
        hint = "raise the budget; the same command asks only those"
        self._job.events.emit("fatal", code="VHB506", message=message, hint=hint, wanted=self._unpaid)

    def _summarise(self) -> None:
        summary = InferSummary(
            counts=self._tally.counts,
            imported=self._tally.imported,
            cached=self._tally.cached,
            requests=self._requests,
            wall_s=round(self._job.runtime.monotonic() - self._started, 3),
            errors=self._tally.error_kinds,
            server=self._server or _server_before(self._out / SUMMARY),
            spent=self._accounts.shown(),
            **self._telemetry.summary,
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
