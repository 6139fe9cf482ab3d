"""The two sources of answers: a chat server, and a file of recorded answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vlmhb_stages.answers import Answers, read_answers
from vlmhb_stages.contracts import AnswerRecord, Prediction, Sample, SampleError
from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer.asker import Asked, Asker
from vlmhb_stages.infer.body import ChatRequest, render_core
from vlmhb_stages.infer.client import ChatClient
from vlmhb_stages.infer.images import BadImage, ImageStore
from vlmhb_stages.infer.outcomes import Answer
from vlmhb_stages.infer.pending import Answering, Pending, at_once, failed
from vlmhb_stages.infer.samples import read_samples
from vlmhb_stages.specs import InferSpec

_NAMED = 20  # ids that a warning names


class ChatAnswerer:
    """Asks a server, with retries; `server` is its name in the records."""

    def __init__(
        self, spec: InferSpec, *, client: ChatClient, asker: Asker, images: ImageStore, server: str
    ) -> None:
        self._spec = spec
        self._client = client
        self._asker = asker
        self._images = images
        self._server = server

    @property
    def requests(self) -> int:
        return self._client.sent

    async def prepare(self, pending: Pending) -> Answering:
        unusable = pending.sample.error
        if unusable is not None:
            return partial(at_once, failed(pending, kind=unusable.kind, message=unusable.message))
        try:
            core = await asyncio.to_thread(self._render, pending.sample)
        except BadImage as error:
            return partial(at_once, failed(pending, kind="bad_image", message=str(error)))
        request = ChatRequest(
            sample_id=pending.sample.sample_id, request_hash=pending.request_hash, core=core
        )
        return partial(self._answer, request)

    async def describe(self) -> dict[str, Any]:
        return await self._client.describe() if self.requests else {}

    def _render(self, sample: Sample) -> bytes:
        urls = [self._images.data_url(image) for image in sample.images]
        return render_core(sample, data_urls=urls, model=self._spec.model, decoding=self._spec.decoding)

    async def _answer(self, request: ChatRequest) -> Prediction:
        return prediction_of(request, await self._asker.ask(request), server=self._server)


class ReplayAnswerer:
    """Joins recorded answers by id. A sample whose image is missing here may still have been answered
    elsewhere."""

    requests = 0

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    @staticmethod
    async def open(path: Path, *, samples: Path, events: EventWriter) -> ReplayAnswerer:
        """Warns about duplicates and about answers to nothing. Raises `BadAnswers`."""
        answers = await asyncio.to_thread(read_answers, path)
        extra = await asyncio.to_thread(_without_sample, answers, samples)
        if answers.duplicates:
            named = _some(answers.duplicates)
            events.emit("warning", message=f"several answers, of which the last counts, for {named}")
        if extra:
            events.emit("warning", message=f"{len(extra)} answers belong to no sample: {_some(extra)}")
        return ReplayAnswerer(answers)

    async def prepare(self, pending: Pending) -> Answering:
        sample = pending.sample
        record = self._answers.records.get(sample.sample_id)
        if record is not None:
            return partial(at_once, _replayed(record, pending))
        text = self._answers.texts.get(sample.sample_id)
        if text is None:
            error = sample.error or SampleError(
                kind="missing_answer", message="the answers file has no such id"
            )
            return partial(at_once, failed(pending, kind=error.kind, message=error.message))
        return partial(
            at_once,
            Prediction(
                sample_id=sample.sample_id,
                request_hash=pending.request_hash,
                status="ok",
                text=text,
                attempts=0,
            ),
        )

    async def describe(self) -> dict[str, Any]:
        return {}


def _replayed(record: AnswerRecord, pending: Pending) -> Prediction:
    """What the file says became of the sample; an answer of another tool was not timed here."""
    return Prediction(
        **record.model_dump(exclude={"origin", "sample_id"}),
        sample_id=pending.sample.sample_id,
        request_hash=pending.request_hash,
        attempts=0,
        imported_from=record.origin,
    )


def prediction_of(request: ChatRequest, asked: Asked, *, server: str) -> Prediction:
    """The record of what a request came to in the end."""
    base: dict[str, Any] = {
        "sample_id": request.sample_id,
        "request_hash": request.request_hash,
        "attempts": asked.attempts,
        "server": server,
    }
    outcome = asked.outcome
    if not isinstance(outcome, Answer):
        error = SampleError(kind=outcome.kind, message=outcome.message)
        return Prediction(**base, status=outcome.status, error=error)
    return Prediction(
        **base,
        status=outcome.status,
        text=outcome.text,
        finish_reason=outcome.finish_reason,
        input_tokens=outcome.input_tokens,
        output_tokens=outcome.output_tokens,
        latency_s=_rounded(outcome.latency_s),
        ttft_s=_rounded(outcome.ttft_s),
        tpot_s=_rounded(outcome.tpot_s),
        error=SampleError(kind="content_filter", message=outcome.refusal) if outcome.refusal else None,
    )


def _without_sample(answers: Answers, samples: Path) -> list[str]:
    planned = {sample.sample_id for sample in read_samples(samples)}
    return [sample_id for sample_id in {**answers.texts, **answers.records} if sample_id not in planned]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def _some(ids: Sequence[str]) -> str:
    rest = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return ", ".join(ids[:_NAMED]) + rest
