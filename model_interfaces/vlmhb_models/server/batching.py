"""Asks a model about a batch, whole or piece by piece, and lets no request end unanswered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from vlmhb_models.base import Emit, Generation, GenerationRequest, ModelInterface, OutOfMemory, Part
from vlmhb_models.server.checking import ModelRaised, check_all, check_generation, check_text
from vlmhb_models.server.jobs import Job

log = logging.getLogger(__name__)
Ask = Callable[[Sequence[GenerationRequest], Emit], None]
Lower = Callable[[int], bool]


def streams_batches(model: ModelInterface) -> bool:
    return type(model).generate_streaming is not ModelInterface.generate_streaming


def asker(model: ModelInterface) -> Ask:
    """The one way to ask `model` about a batch."""

    def in_pieces(batch: Sequence[GenerationRequest], emit: Emit) -> None:
        model.generate_streaming(batch, emit=emit)

    def whole(batch: Sequence[GenerationRequest], emit: Emit) -> None:
        for index, generation in enumerate(check_all(model.generate(batch), expected=len(batch))):
            emit(index, generation)

    return in_pieces if streams_batches(model) else whole


def answer_batch(ask: Ask, jobs: Sequence[Job], *, lower: Lower, note: str = "") -> None:
    """One batch; when it fails, those of its requests that have no piece yet are tried again, fewer at a time.

    `lower(n)`: memory did not do for `n` requests; says whether fewer may be tried. `note` goes to the answers as
    what is otherwise than asked."""
    outcomes = _Outcomes(jobs, note=note)
    try:
        ask([job.request for job in jobs], outcomes.emit)
    except OutOfMemory as error:
        log.warning("%s", error)
        again = outcomes.fail(error, keep_untouched=len(jobs) > 1 and lower(len(jobs)))
        half = max(1, len(jobs) // 2)
        told = f"batch lowered to {half}: out of memory"
        for start in range(0, len(again), half):
            answer_batch(ask, again[start : start + half], lower=lower, note=told)
    except (Exception, SystemExit) as error:  # a stranger's code: it costs this request, not the server
        alone = len(jobs) == 1
        log.exception(
            "the model raised" if alone else "the model raised on a batch: each request is tried alone"
        )
        for job in outcomes.fail(error, keep_untouched=not alone):
            answer_batch(ask, [job], lower=lower, note=note)
    else:
        outcomes.fail(ValueError("the model ended without an answer"), keep_untouched=False)


class _Outcomes:
    """What the model has said so far to each job of a batch."""

    def __init__(self, jobs: Sequence[Job], *, note: str) -> None:
        self._jobs = jobs
        self._note = note
        self._touched: set[int] = set()
        self._ended: set[int] = set()

    def emit(self, index: int, content: Part | Generation | Exception) -> bool:
        """See `base.Emit`. What a model says after its answer is dropped."""
        job = self._jobs[index]
        if index in self._ended:
            return False
        if isinstance(content, Part):
            check_text(content.text)
            self._touched.add(index)
            if job.stream:
                job.outcome.put(content)
            return job.alive()
        if isinstance(content, Exception):
            job.outcome.put(ModelRaised(content))
        else:
            job.outcome.put(self._noted(check_generation(content)))
        self._ended.add(index)
        return True

    def fail(self, error: BaseException, *, keep_untouched: bool) -> list[Job]:
        """Tells the error to all that have no answer; with `keep_untouched` gives back those to be tried again."""
        again = []
        for index, job in enumerate(self._jobs):
            if index in self._ended:
                continue
            if keep_untouched and not (index in self._touched and job.stream):
                again.append(job)
            else:
                job.outcome.put(ModelRaised(error))
        return again

    def _noted(self, generation: Generation) -> Generation:
        if not self._note:
            return generation
        adjusted = [*generation.extra.get("adjusted", []), self._note]
        return replace(generation, extra={**generation.extra, "adjusted": adjusted})
