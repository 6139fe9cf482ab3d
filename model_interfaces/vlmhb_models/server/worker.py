"""Loads the model and calls it: one thread by default, requests queued, small batches where it can."""

from __future__ import annotations

import json
import logging
import operator
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from vlmhb_models.base import Generation, GenerationRequest, LoadError, ModelInterface

log = logging.getLogger(__name__)


class ModelRaised(Exception):
    """Carries what the model raised, so that it cannot be taken for an error of the server's own."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__(describe_error(error))


@dataclass(frozen=True)
class Job:
    """A request on its way through the queue; its outcome comes back piece by piece.

    `alive` tells whether the client still waits: nobody computes for one that has gone."""

    request: GenerationRequest
    stream: bool
    alive: Callable[[], bool] = lambda: True
    outcome: queue.SimpleQueue[str | Generation | ModelRaised] = field(default_factory=queue.SimpleQueue)

    def pieces(self) -> Iterator[str | Generation]:
        """Texts as they come, then the whole `Generation`. Raises `ModelRaised`."""
        while True:
            item = self.outcome.get()
            if isinstance(item, ModelRaised):
                raise item
            yield item
            if isinstance(item, Generation):
                return


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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = LoadState()
        self.settled = threading.Event()  # the state is no longer `loading`
        self._build, self._prepare = build, prepare
        self._concurrency, self._limit = concurrency, max_batch
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
        for number in range(1, self._concurrency):
            threading.Thread(target=self._serve, args=(model,), name=f"model-{number}", daemon=True).start()
        self._serve(model)

    def _load(self) -> ModelInterface | None:
        started = self._clock()
        try:
            model = self._build()
            self._prepare(model)
            details = model.describe()
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
        streams = type(model).stream is not ModelInterface.stream
        size = max(1, min(model.max_batch, self._limit or model.max_batch))
        while True:
            jobs = [job for job in self._take(size) if job.alive()]
            streamed = [job for job in jobs if job.stream and streams]
            whole = [job for job in jobs if not (job.stream and streams)]
            if whole:
                _answer(model, whole)
            for job in streamed:
                _answer_streaming(model, job)

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


def _answer(model: ModelInterface, jobs: list[Job]) -> None:
    """One `generate` call; when a batch raises, each of its requests is tried alone."""
    try:
        generations = _all_checked(model.generate([job.request for job in jobs]), expected=len(jobs))
    except (Exception, SystemExit) as error:  # a stranger's code: it costs this request, not the server
        if len(jobs) == 1:
            log.exception("the model raised")
            jobs[0].outcome.put(ModelRaised(error))
            return
        log.exception("the model raised on a batch of %d: each request is tried alone", len(jobs))
        for job in jobs:
            _answer(model, [job])
        return
    for index, job in enumerate(jobs):
        job.outcome.put(generations[index])


def _answer_streaming(model: ModelInterface, job: Job) -> None:
    parts: list[str] = []
    last: Generation | None = None
    try:
        for piece in model.stream(job.request):
            if isinstance(piece, Generation):
                last = _checked(piece)
                break
            _check_text(piece)
            parts.append(piece)
            job.outcome.put(piece)
            if not job.alive():
                return
    except (Exception, SystemExit) as error:  # as in _answer
        log.exception("the model raised while streaming")
        job.outcome.put(ModelRaised(error))
        return
    job.outcome.put(last or Generation(text="".join(parts)))


def _all_checked(generations: list[Generation], *, expected: int) -> list[Generation]:
    """A wrong number or kind of answers would give some sample another one's text: refused as a whole."""
    if not isinstance(generations, (list, tuple)):
        raise TypeError(f"generate() has to give a list of Generation objects, not {generations!r:.80}")
    if len(generations) != expected:
        raise ValueError(f"generate() gave {len(generations)} answers to {expected} requests")
    return [_checked(generation) for generation in generations]


def _checked(generation: Generation) -> Generation:
    """The same answer with plain counts. Raises what the user is told when it cannot be sent as it is."""
    if not isinstance(generation, Generation):
        raise TypeError(f"generate() has to give Generation objects with a str, not {generation!r:.80}")
    _check_text(generation.text)
    json.dumps(generation.extra)  # raises TypeError, ValueError
    return replace(
        generation,
        input_tokens=_count(generation.input_tokens, name="input_tokens"),
        output_tokens=_count(generation.output_tokens, name="output_tokens"),
    )


def _check_text(text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"generate() has to give Generation objects with a str, not {text!r:.80}")
    text.encode()  # raises UnicodeEncodeError for half of a surrogate pair, which no request can carry


def _count(value: int | None, *, name: str) -> int | None:
    """NumPy and torch counts become plain ones. Raises `ValueError`, `TypeError`."""
    count = None if value is None else operator.index(value)
    if count is not None and count < 0:
        raise ValueError(f"{name} is {count}")
    return count


def describe_error(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
