"""Loads the model and calls it: one thread by default, requests queued, small batches where it can."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vlmhb_models.base import Generation, LoadError, ModelInterface, Part
from vlmhb_models.server.batching import answer_batch, asker, streams_batches
from vlmhb_models.server.checking import ModelRaised, check_generation, check_text, describe_error
from vlmhb_models.server.jobs import Job

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadState:
    """`loading`, `ready` or `failed`; the rest is filled in when known."""

    status: str = "loading"
    reason: str = ""
    hint: str = ""
    details: dict[str, Any] = field(default_factory=dict)


class Worker:
    """Owns the model. `build` imports and constructs it, `prepare` loads it: both in the worker's thread."""

    def __init__(
        self,
        *,
        build: Callable[[], ModelInterface],
        prepare: Callable[[ModelInterface], None],
        concurrency: int = 1,
        max_batch: int | None = None,
        batch_window_s: float = 0.01,
        oom_level: int = 0,  # how often memory has run out before: each time halves the batch
        lower_on_oom: bool = False,  # what the card says about batches when memory runs out
        facts: Mapping[str, Any] | None = None,  # of the machine; told beside the model's own
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = LoadState()
        self.settled = threading.Event()  # the state is no longer `loading`
        self._build, self._prepare = build, prepare
        self._concurrency, self._limit = concurrency, max_batch
        self._facts = dict(facts or {})
        self._may_lower, self._oom_level, self._size = lower_on_oom, oom_level, 1
        self._window_s, self._clock = batch_window_s, clock
        self._queue: queue.Queue[Job] = queue.Queue()

    def start(self) -> None:
        threading.Thread(target=self._load_and_serve, name="model-0", daemon=True).start()

    def submit(self, job: Job) -> None:
        self._queue.put(job)

    def _load_and_serve(self) -> None:
        model = self._load()
        if model is None:
            return
        # A model that streams batches takes what comes together as one batch.
        threads = 1 if streams_batches(model) else self._concurrency
        for number in range(1, threads):
            threading.Thread(target=self._serve, args=(model,), name=f"model-{number}", daemon=True).start()
        self._serve(model)

    def _load(self) -> ModelInterface | None:
        started = self._clock()
        try:
            model = self._build()
            self._prepare(model)
            details = {**self._facts, **model.describe()}
        except LoadError as error:
            self.state = LoadState(status="failed", reason=str(error), hint=error.hint)
        except (Exception, SystemExit) as error:  # a stranger's code: whatever it raises is its load error
            log.exception("the model did not load")
            self.state = LoadState(status="failed", reason=describe_error(error))
        else:
            self.state = LoadState(status="ready", details=details)
            self.settled.set()
            log.info("model ready after %.1f s", self._clock() - started)
            return model
        self.settled.set()
        return None

    def _serve(self, model: ModelInterface) -> None:
        one_by_one = type(model).stream is not ModelInterface.stream and not streams_batches(model)
        ask = asker(model)
        self._size = max(1, min(model.max_batch, self._limit or model.max_batch) >> self._oom_level)
        while True:
            jobs = [job for job in self._take(self._size) if _waited_for(job)]
            streamed = [job for job in jobs if job.stream and one_by_one]
            together = [job for job in jobs if not (job.stream and one_by_one)]
            if together:
                answer_batch(ask, together, lower=self._lower)
            for job in streamed:
                _answer_streaming(model, job)

    def _lower(self, size: int) -> bool:
        """Memory did not do for `size` requests at once: from now on fewer, where the card allows it."""
        if self._may_lower:
            self._size = max(1, min(self._size, size // 2))
        return self._may_lower

    def _take(self, size: int) -> list[Job]:
        """The next job, and up to `size - 1` others that come within the window."""
        jobs = [self._queue.get()]
        end = self._clock() + self._window_s
        while len(jobs) < size:
            try:
                jobs.append(self._queue.get(timeout=max(0.0, end - self._clock())))
            except queue.Empty:
                break
        return jobs


def _waited_for(job: Job) -> bool:
    """A connection whose client has gone is told so: its thread would wait for an answer for ever."""
    alive = job.alive()
    if not alive:
        job.outcome.put(ModelRaised(ConnectionAbortedError("the client has gone")))
    return alive


def _answer_streaming(model: ModelInterface, job: Job) -> None:
    parts: list[str] = []
    last: Generation | None = None
    try:
        for piece in model.stream(job.request):
            if isinstance(piece, Generation):
                last = check_generation(piece)
                break
            check_text(piece)
            parts.append(piece)
            job.outcome.put(Part(piece))
            if not _waited_for(job):
                return
    except (Exception, SystemExit) as error:  # a stranger's code: it costs this request, not the server
        log.exception("the model raised while streaming")
        job.outcome.put(ModelRaised(error))
        return
    job.outcome.put(last or Generation(text="".join(parts)))
