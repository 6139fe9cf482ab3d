"""The two sources of answers: a chat server, and a file of recorded answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vlmhb_stages.answers import Answers, read_answers
from vlmhb_stages.contracts import AnswerRecord, Prediction, SampleError
from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer.asker import Asked, Asker
from vlmhb_stages.infer.client import ChatClient
from vlmhb_stages.infer.images import BadImage, ImageStore
from vlmhb_stages.infer.outcomes import Answer
from vlmhb_stages.infer.pending import Answering, Pending, at_once, failed
from vlmhb_stages.infer.question import Question, question
from vlmhb_stages.infer.samples import read_samples
from vlmhb_stages.infer.tier import Tier

_NAMED = 20  # ids that a warning names


class ChatAnswerer:
    """Asks the places of a route; the first tier is the primary."""

    def __init__(
        self, tiers: Sequence[Tier], *, asker: Asker, images: ImageStore, clock: Callable[[], float]
    ) -> None:
        self._tiers = tuple(tiers)
        self._asker = asker
        self._images = images
        self._clock = clock

    @property
    def requests(self) -> int:
        return sum(tier.requests for tier in self._tiers)

    @property
    def clients(self) -> tuple[ChatClient, ...]:
        """Of the primary: one per replica."""
        return tuple(place.client for place in self._tiers[0].places)

    async def prepare(self, pending: Pending) -> Answering:
        unusable = pending.sample.error
        if unusable is not None:
            return partial(at_once, failed(pending, kind=unusable.kind, message=unusable.message))
        try:
            asked = await question(pending, images=self._images, clock=self._clock)
        except BadImage as error:
            return partial(at_once, failed(pending, kind="bad_image", message=str(error)))
        return partial(self._answer, asked)

    async def describe(self) -> dict[str, Any]:
        """What the first place of the primary that was asked says of itself."""
        asked = (client for client in self.clients if client.sent)
        first = next(asked, None)
        return await first.describe() if first is not None else {}

    async def _answer(self, question: Question) -> Prediction:
        return prediction_of(question.pending, await self._asker.ask(question))


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


def prediction_of(pending: Pending, asked: Asked) -> Prediction:
    """The record of what a question came to in the end."""
    outcome = asked.outcome
    base: dict[str, Any] = {
        "sample_id": pending.sample.sample_id,
        "request_hash": pending.request_hash,
        "prompt_sha256": pending.sample.prompt_sha256,
        "status": outcome.status,
        "attempts": asked.attempts,
        "queue_s": _rounded(asked.queue_s),
        "cost": asked.cost,
        "adjusted": asked.adjusted,
        "server": asked.server,
        "fallback": asked.fallback,
    }
    if not isinstance(outcome, Answer):
        return Prediction(**base, error=SampleError(kind=outcome.kind, message=outcome.message))
    return Prediction(
        **base,
        text=outcome.text,
        finish_reason=outcome.finish_reason,
        input_tokens=outcome.input_tokens,
        output_tokens=outcome.output_tokens,
        image_tokens=outcome.image_tokens,
        cached_tokens=outcome.cached_tokens,
        tokens_from=outcome.tokens_from,
        latency_s=_rounded(outcome.latency_s),
        ttft_s=_rounded(outcome.ttft_s),
        tpot_s=_rounded(outcome.tpot_s),
        itl=outcome.itl,
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
