"""What a stage measures beside its answers: time with requests in flight, warm-up, the server's own counters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from vlmhb_stages.contracts import InferSummary
from vlmhb_stages.infer.answerers import ChatAnswerer
from vlmhb_stages.infer.job import Job
from vlmhb_stages.infer.outcomes import Attempt
from vlmhb_stages.infer.pending import Answerer
from vlmhb_stages.infer.route import most_in_flight
from vlmhb_stages.infer.scrape import watched
from vlmhb_stages.infer.warmup import WarmUp
from vlmhb_stages.spans import Spans


class Telemetry:
    """One per start of the stage. `earlier`: the summary of the start before, whose time counts as well."""

    def __init__(self, job: Job, *, earlier: Path) -> None:
        before = _summary(earlier)
        self._spans = Spans(before.active if before is not None else ())
        self._engine: dict[str, float] = before.engine if before is not None else {}
        self._halt = job.halt
        self._earlier_warmup = before.warmup if before is not None else 0
        self._warmup = WarmUp(
            wanted=job.spec.warmup,
            samples=job.samples,
            at_once=most_in_flight(job.spec),
            halt=job.halt,
        )

    def attempts(self, record: Callable[[Attempt], None]) -> Callable[[Attempt], None]:
        """`record` for every measured request, which is timed here on its way."""

        def timed(attempt: Attempt) -> None:
            self._spans.add(attempt.started, attempt.started + attempt.latency_s)
            record(attempt)

        return self._warmup.measured_only(timed)

    async def warm_up(self, answerer: Answerer) -> None:
        """Does its work before the first request that is to be measured, and nothing later."""
        await self._warmup.once(answerer)

    @asynccontextmanager
    async def watching(self, answerer: Answerer) -> AsyncIterator[None]:
        """Reads the counters of our own servers meanwhile."""
        clients = answerer.clients if isinstance(answerer, ChatAnswerer) else ()
        own = [client for client in clients if client.is_own]
        if not own:
            yield
            return
        async with watched(own) as watch:
            try:
                yield
                if not self._halt.asked:  # else the server may be as gone as the driver is about to be
                    await watch.look()
            finally:
                self._engine = watch.summary or self._engine

    @property
    def summary(self) -> dict[str, Any]:
        """Fields of `InferSummary`."""
        return {
            "warmup": self._earlier_warmup + self._warmup.sent,
            "active": tuple((round(start, 3), round(end, 3)) for start, end in self._spans.spans),
            "engine": {name: round(value, 6) for name, value in self._engine.items()},
        }


def _summary(path: Path) -> InferSummary | None:
    try:
        return InferSummary.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None
