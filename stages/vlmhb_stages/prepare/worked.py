"""The turns of the worked examples: made once, before any sample, each asked as a sample of its kind is.

An example must never stand below another question than its own, so whatever would make that possible is refused."""

from __future__ import annotations

from dataclasses import dataclass

from vlmhb_benchmarks.loaders import RawSample

from vlmhb_stages.contracts import ImageRef, Message
from vlmhb_stages.prepare.failure import PrepareFailed
from vlmhb_stages.prepare.prompts import Asked, asked
from vlmhb_stages.prepare.shots import Example, Shot, Shots
from vlmhb_stages.prepare.wording import Subject, Wording
from vlmhb_stages.specs import PrepareSpec

_KIND = 'give it the doc_class and question_type of its question: {"doc_class": ..., "question_type": ...}'


@dataclass(frozen=True, kw_only=True)
class Worked:
    """Alternating turns, with their images in order; `sha256` of the examples, None where there are none."""

    messages: tuple[Message, ...] = ()
    images: tuple[ImageRef, ...] = ()
    sha256: str | None = None


def worked(shots: Shots, *, spec: PrepareSpec, wording: Wording) -> Worked:
    """Raises `PrepareFailed` naming the line of an example that cannot be asked."""
    messages: list[Message] = []
    for shot in shots.shots:
        asks = wording.user(_subject(shot, file=shots.file, spec=spec, wording=wording))
        messages.append(asks.model_copy(update={"images": len(shot.images)}))
        messages.append(Message(role="assistant", content=shot.example.answer))
    return Worked(
        messages=tuple(messages),
        images=tuple(image for shot in shots.shots for image in shot.images),
        sha256=shots.sha256,
    )


def _subject(shot: Shot, *, file: str, spec: PrepareSpec, wording: Wording) -> Subject:
    example = shot.example
    name = f"the example in {file}, row {example.row}"
    subject = Subject(
        name=name,
        asked=_asked(example, file=file, spec=spec),
        metadata=example.metadata or None,
        images=len(shot.images),
    )
    if not subject.asked.text and wording.chosen(subject).user is None:
        raise PrepareFailed(f"{name}: it has no question, and nobody says what to ask", code="VHB104")
    if example.metadata:
        return subject
    user = wording.chosen(subject).user
    if wording.asks_by_kind:
        what = f"{name}: samples are asked by their kind, and it has none"
        raise PrepareFailed(what, hint=_KIND, code="VHB104")
    if user is not None and example.question is not None and "question" not in user.variables:
        what = f"{name}: its question is not in what would be sent, because the user template does not use it"
        raise PrepareFailed(what, hint=_KIND, code="VHB104")
    return subject


def _asked(example: Example, *, file: str, spec: PrepareSpec) -> Asked:
    """Its own question as it stands, unless its kind says what a sample of that kind is asked."""
    if example.question is not None and not example.metadata:
        return Asked(text=example.question, is_question=True, is_own=True)
    return asked(
        RawSample(
            sample_id="",
            question=example.question or "",
            references=(),
            file=file,
            row=example.row,
            metadata=example.metadata,
        ),
        spec=spec,
    )
