"""The queue between requests and the model: one at a time by default, batches, and what errors cost."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from vlmhb_models.base import Generation, GenerationRequest, Message, ModelInterface
from vlmhb_models.server.checking import ModelRaised
from vlmhb_models.server.jobs import Job
from vlmhb_models.server.worker import Worker

WAIT_S = 30.0


class Recorder(ModelInterface):
    """Notes threads and batches; holds the batch that asks for it until it is let go."""

    max_batch = 4

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.batches: list[list[str]] = []
        self.inside, self.go = threading.Event(), threading.Event()
        self.together: threading.Barrier | None = None
        self.answers = 1  # per request

    def load(self, *, params: dict[str, Any], weights: str | None) -> None:
        self.threads.append(threading.get_ident())

    def generate(self, batch: Sequence[GenerationRequest]) -> list[Generation]:
        self.threads.append(threading.get_ident())
        prompts = [request.prompt for request in batch]
        self.batches.append(prompts)
        if "hold" in prompts:
            self.inside.set()
            assert self.go.wait(WAIT_S)
        if "bad" in prompts:
            raise ValueError("bad")
        if self.together is not None:
            self.together.wait(WAIT_S)
        return [Generation(text=prompt.upper()) for prompt in prompts] * self.answers


def job(prompt: str, *, alive: bool = True) -> Job:
    request = GenerationRequest(messages=(Message(role="user", text=prompt),))
    return Job(request=request, stream=False, alive=lambda: alive)


def started(model: Recorder, *, concurrency: int = 1, max_batch: int | None = None) -> Worker:
    worker = Worker(
        build=lambda: model,
        prepare=lambda made: made.load(params={}, weights=None),
        concurrency=concurrency,
        max_batch=max_batch,
    )
    worker.start()
    assert worker.settled.wait(WAIT_S)
    return worker


def outcome(item: Job) -> str:
    try:
        pieces = list(item.pieces())
    except ModelRaised as raised:
        return str(raised)
    assert len(pieces) == 1 and isinstance(pieces[0], Generation)
    return pieces[0].text


def queued_behind_a_held_one(worker: Worker, model: Recorder, jobs: Sequence[Job]) -> None:
    """Submits `jobs` while the model is busy, so that all of them wait when it becomes free."""
    first = job("hold")
    worker.submit(first)
    assert model.inside.wait(WAIT_S)
    for item in jobs:
        worker.submit(item)
    model.go.set()
    assert outcome(first) == "HOLD"


def test_load_and_all_requests_run_in_one_thread() -> None:
    model = Recorder()
    worker = started(model)
    jobs = [job(f"q{number}") for number in range(20)]
    senders = [threading.Thread(target=worker.submit, args=(item,)) for item in jobs]
    for sender in senders:
        sender.start()
    assert [outcome(item) for item in jobs] == [f"Q{number}" for number in range(20)]
    assert len(set(model.threads)) == 1


def test_concurrency_lets_requests_run_side_by_side() -> None:
    model = Recorder()
    model.together = threading.Barrier(2)  # broken unless two requests are inside at once
    worker = started(model, concurrency=2, max_batch=1)
    jobs = [job("a"), job("b")]
    for item in jobs:
        worker.submit(item)
    assert [outcome(item) for item in jobs] == ["A", "B"]


@pytest.mark.parametrize(
    ("limit", "batches"), [(None, [["a", "b", "c", "d"], ["e"]]), (2, [["a", "b"], ["c", "d"], ["e"]])]
)
def test_waiting_requests_share_a_batch_up_to_the_limit(limit: int | None, batches: list[list[str]]) -> None:
    model = Recorder()
    worker = started(model, max_batch=limit)
    jobs = [job(letter) for letter in "abcde"]
    queued_behind_a_held_one(worker, model, jobs)
    assert [outcome(item) for item in jobs] == list("ABCDE")
    assert model.batches[1:] == batches


def test_raising_batch_costs_only_the_request_at_fault() -> None:
    model = Recorder()
    worker = started(model)
    jobs = [job("a"), job("bad"), job("c")]
    queued_behind_a_held_one(worker, model, jobs)
    assert [outcome(item) for item in jobs] == ["A", "ValueError: bad", "C"]


def test_wrong_number_of_answers_is_never_matched_up() -> None:
    model = Recorder()
    worker = started(model)
    model.answers = 2
    item = job("a")
    worker.submit(item)
    assert outcome(item) == "ValueError: generate() gave 2 answers to 1 requests"


def test_nothing_is_computed_for_a_client_that_has_gone() -> None:
    model = Recorder()
    worker = started(model)
    queued_behind_a_held_one(worker, model, [gone := job("gone", alive=False), kept := job("kept")])
    assert outcome(kept) == "KEPT"
    assert not any("gone" in batch for batch in model.batches)
    last = gone.outcome.get(timeout=WAIT_S)  # else the thread of its connection never ends
    assert str(last) == "ConnectionAbortedError: the client has gone"


class Answers(ModelInterface):
    """Gives whatever it is told to give."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def load(self, *, params: dict[str, Any], weights: str | None) -> None:
        pass

    def generate(self, batch: Sequence[GenerationRequest]) -> list[Generation]:
        answers: list[Generation] = self.given
        return answers


def answer_of(given: Any) -> str:
    worker = Worker(build=lambda: Answers(given), prepare=lambda made: made.load(params={}, weights=None))
    worker.start()
    assert worker.settled.wait(WAIT_S)
    item = job("a")
    worker.submit(item)
    return outcome(item)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "TypeError: generate() has to give a list of Generation objects, not None"),
        ("x", "TypeError: generate() has to give a list of Generation objects, not 'x'"),
        (["x"], "TypeError: generate() has to give Generation objects with a str, not 'x'"),
        (
            [Generation(text=None)],
            "TypeError: generate() has to give Generation objects with a str, not None",
        ),  # type: ignore[arg-type]  # wrong on purpose
        ([Generation(text="a\ud800")], "UnicodeEncodeError: "),
        ([Generation(text="a", output_tokens=-1)], "ValueError: output_tokens is -1"),
        ([Generation(text="a", input_tokens=float("nan"))], "TypeError: "),  # type: ignore[arg-type]  # wrong on purpose
        ([Generation(text="a", extra={"a": {1}})], "TypeError: "),
    ],
)
def test_what_cannot_be_sent_is_an_error_of_that_request(given: Any, said: str) -> None:
    assert answer_of(given).startswith(said)


@pytest.mark.parametrize("text", ["", "a\x00b\r\n\u2028\ufeff\x1b[31m", "\U0001f600" * 1000])
def test_any_other_text_arrives_as_it_is(text: str) -> None:
    assert answer_of([Generation(text=text)]) == text
