"""Models that stream whole batches: each request gets its own pieces, and what one of them costs the others."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from vlmhb_models.base import (
    BadImage,
    Emit,
    Generation,
    GenerationRequest,
    Message,
    ModelInterface,
    OutOfMemory,
    Part,
)
from vlmhb_models.server.batching import answer_batch, asker
from vlmhb_models.server.checking import ModelRaised
from vlmhb_models.server.jobs import Job
from vlmhb_models.server.worker import Worker

WAIT_S = 30.0


class Speller(ModelInterface):
    """Spells each prompt in turn, one letter per step, as a decoder with a batch does."""

    max_batch = 4

    def __init__(self, *, room: int = 100) -> None:
        self.batches: list[list[str]] = []
        self.room = room  # requests that fit into memory at once
        self.inside, self.go = threading.Event(), threading.Event()
        self.refused: list[bool] = []

    def load(self, *, params: dict[str, Any], weights: str | None) -> None:
        pass

    def generate(self, batch: Sequence[GenerationRequest]) -> list[Generation]:
        raise AssertionError("a model that streams batches is asked this way only")

    def generate_streaming(self, batch: Sequence[GenerationRequest], *, emit: Emit) -> None:
        prompts = [request.prompt for request in batch]
        self.batches.append(prompts)
        if "hold" in prompts:
            self.inside.set()
            assert self.go.wait(WAIT_S)
        if len(prompts) > self.room:
            raise OutOfMemory(f"CUDA out of memory with a batch of {len(prompts)}")
        going = set(range(len(prompts)))
        for step in range(max(map(len, prompts)) + 1):
            if "late" in prompts and step == 2:
                raise RuntimeError("device-side assert")
            for index in sorted(going):
                if not self.step(prompts[index], index=index, step=step, emit=emit):
                    going.discard(index)

    def step(self, prompt: str, *, index: int, step: int, emit: Emit) -> bool:
        """Whether this request goes on."""
        if prompt == "blind":
            emit(index, BadImage("no image"))
            return False
        if step < len(prompt):
            waits = emit(index, Part(prompt[step], output_tokens=step + 1))
            self.refused.append(not waits)
            return waits
        if prompt != "mute":
            emit(index, Generation(text=prompt, output_tokens=step))
        return False


def job(prompt: str, *, stream: bool = True, alive: bool = True) -> Job:
    request = GenerationRequest(messages=(Message(role="user", text=prompt),))
    calls = iter([True])  # alive when it is taken from the queue, whatever comes later
    return Job(request=request, stream=stream, alive=lambda: next(calls, alive))


def started(model: Speller, **options: Any) -> Worker:
    worker = Worker(build=lambda: model, prepare=lambda made: made.load(params={}, weights=None), **options)
    worker.start()
    assert worker.settled.wait(WAIT_S)
    return worker


def batch_of(worker: Worker, model: Speller, jobs: list[Job]) -> list[list[str]]:
    """What `jobs` are told as one batch: they come while another request holds the model."""
    holding = job("hold")
    worker.submit(holding)
    assert model.inside.wait(WAIT_S)
    for item in jobs:
        worker.submit(item)
    model.go.set()
    texts(holding)
    return [texts(item) for item in jobs]


def texts(item: Job) -> list[str]:
    """Its parts, and at last the whole text or the error."""
    try:
        return [piece.text for piece in item.pieces()]
    except ModelRaised as raised:
        return [str(raised)]


def test_streamed_requests_share_a_batch_and_come_in_turn() -> None:
    model = Speller()
    jobs = [job("ab"), job("xyz"), job("whole", stream=False)]
    told = batch_of(started(model), model, jobs)
    assert model.batches == [["hold"], ["ab", "xyz", "whole"]]
    assert told == [["a", "b", "ab"], ["x", "y", "z", "xyz"], ["whole"]]


def test_a_request_that_cannot_be_asked_costs_the_others_nothing() -> None:
    model = Speller()
    jobs = [job("blind"), job("ab")]
    told = batch_of(started(model), model, jobs)
    assert model.batches[1:] == [["blind", "ab"]]
    assert [texts[-1] for texts in told] == ["BadImage: no image", "ab"]


def test_requests_wait_for_a_batch_of_the_right_size_in_their_order() -> None:
    model = Speller()
    jobs = [job(name) for name in "abcdef"]
    told = batch_of(started(model, max_batch=4), model, jobs)
    assert [texts[-1] for texts in told] == list("abcdef")
    assert model.batches[1:] == [["a", "b", "c", "d"], ["e", "f"]]


def test_one_thread_calls_it_whatever_the_concurrency() -> None:
    model = Speller()
    jobs = [job("ab"), job("cd")]
    batch_of(started(model, concurrency=3), model, jobs)
    assert model.batches[1:] == [["ab", "cd"]]


def test_without_memory_smaller_batches_are_tried_where_the_card_allows_it_and_it_is_told() -> None:
    model = Speller(room=2)
    ask, lowered = asker(model), []
    jobs = [job(name, stream=False) for name in "abcd"]
    answer_batch(ask, jobs, lower=lambda size: not lowered.append(size))
    ends = [item.outcome.get_nowait() for item in jobs]
    assert model.batches == [list("abcd"), list("ab"), list("cd")]
    assert lowered == [4]
    note = {"adjusted": ["batch lowered to 2: out of memory"]}
    assert ends == [Generation(text=name, output_tokens=1, extra=note) for name in "abcd"]


def test_once_lowered_the_batch_stays_small() -> None:
    model = Speller(room=2)
    worker = started(model, lower_on_oom=True)
    assert [texts[-1] for texts in batch_of(worker, model, [job(name) for name in "abcd"])] == list("abcd")
    model.inside.clear()
    model.go.clear()
    assert [texts[-1] for texts in batch_of(worker, model, [job(name) for name in "efgh"])] == list("efgh")
    assert model.batches[-2:] == [["e", "f"], ["g", "h"]]


def test_without_memory_and_without_leave_every_request_of_the_batch_fails_with_its_reason() -> None:
    model = Speller(room=2)
    jobs = [job(name) for name in "abc"]
    told = batch_of(started(model), model, jobs)
    assert told == [["OutOfMemory: CUDA out of memory with a batch of 3"]] * 3
    assert model.batches[1:] == [["a", "b", "c"]]


def test_a_single_request_that_does_not_fit_fails() -> None:
    model = Speller(room=0)
    worker = started(model, lower_on_oom=True)
    item = job("a")
    worker.submit(item)
    assert texts(item) == ["OutOfMemory: CUDA out of memory with a batch of 1"]
    assert model.batches == [["a"]]


def test_out_of_memory_before_halves_the_batch_from_the_start() -> None:
    model = Speller()
    jobs = [job(name) for name in "abcd"]
    told = batch_of(started(model, oom_level=1), model, jobs)
    assert [texts[-1] for texts in told] == list("abcd")
    assert model.batches[1:] == [["a", "b"], ["c", "d"]]


def test_a_fault_in_the_middle_fails_what_was_begun_and_tries_the_rest_alone() -> None:
    model = Speller()
    jobs = [job("late"), job("abc"), job("whole", stream=False)]
    late, begun, whole = batch_of(started(model), model, jobs)
    assert late[-1] == begun[-1] == "RuntimeError: device-side assert"
    assert whole == ["whole"]
    assert model.batches[2:] == [["whole"]]


def test_a_request_without_an_answer_is_told_so() -> None:
    model = Speller()
    worker, item = started(model), job("mute")
    worker.submit(item)
    assert texts(item) == ["ValueError: the model ended without an answer"]


@pytest.mark.parametrize("alive", [True, False])
def test_the_model_learns_that_nobody_waits(alive: bool) -> None:
    model = Speller()
    worker, gone = started(model), job("abcdef", alive=alive)
    worker.submit(gone)
    if alive:
        assert texts(gone)[-1] == "abcdef"
    else:
        assert texts(gone)[-1] == "ValueError: the model ended without an answer"
    assert any(model.refused) is not alive
    assert len(model.refused) == (6 if alive else 1)
