"""The messages of a sample: system prompt, worked examples, the question; and the version of the prompt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vlmhb_benchmarks.loaders import RawSample

from vlmhb_stages.contracts import ImageRef, Message, PromptVersion
from vlmhb_stages.prepare.prompts import asked
from vlmhb_stages.prepare.wording import Subject, Wording
from vlmhb_stages.prepare.worked import Worked
from vlmhb_stages.specs import PrepareSpec


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """`images`: those of the examples, then the sample's own."""

    messages: tuple[Message, ...]
    images: tuple[ImageRef, ...] = ()
    prompt_sha256: str | None = None


class Conversations:
    """Makes them one by one, and counts the versions of the prompt."""

    def __init__(self, spec: PrepareSpec, *, wording: Wording, worked: Worked) -> None:
        self._spec, self._wording, self._worked = spec, wording, worked
        self._versions: dict[str, PromptVersion] = {}
        self._counts: dict[str, int] = {}
        self._dropped = 0  # samples whose own question is not in what is sent
        self._first_dropped = ""

    def unusable(self, sample: RawSample) -> Conversation:
        """Of a sample that is never sent: what is known of its question."""
        return Conversation(messages=(Message(role="user", content=asked(sample, spec=self._spec).text),))

    def of(self, sample: RawSample, images: Sequence[ImageRef]) -> Conversation:
        """Raises `PrepareFailed` when a template cannot be rendered for this sample."""
        subject = Subject(
            name=f"sample {sample.sample_id}",
            asked=asked(sample, spec=self._spec),
            metadata=sample.metadata,
            choices=(sample.choices or ()) if sample.list_choices else (),
            images=len(images),
        )
        self._look_for_question(sample, subject)
        *system, question = self._wording.messages(subject)
        shown = self._worked.messages
        if shown:
            question = question.model_copy(update={"images": len(images)})
        return Conversation(
            messages=(*system, *shown, question),
            images=(*self._worked.images, *images),
            prompt_sha256=self._version(subject),
        )

    @property
    def versions(self) -> list[PromptVersion]:
        """By hash, each with the number of samples that it asks."""
        return [
            version.model_copy(update={"samples": self._counts[sha256]})
            for sha256, version in sorted(self._versions.items())
        ]

    def warnings(self) -> list[str]:
        if not self._dropped:
            return []
        own = "question of 1 sample is" if self._dropped == 1 else f"questions of {self._dropped} samples are"
        return [
            f"the {own} not in what is sent: the user template uses neither {{{{ question }}}} nor "
            f"{{{{ question_type }}}}; first: {self._first_dropped}"
        ]

    def _look_for_question(self, sample: RawSample, subject: Subject) -> None:
        """A template that is chosen by the question need not repeat it."""
        user = self._wording.chosen(subject).user
        if user is None or user.is_by_question or not subject.asked.is_own:
            return
        if not {"question", "question_type"} & user.variables:
            self._dropped += 1
            self._first_dropped = self._first_dropped or f"{sample.file}, row {sample.row}"

    def _version(self, subject: Subject) -> str:
        told: dict[str, Any] = {
            "system": self._wording.system_template(subject),
            "user": self._wording.user_template(subject),
            "language": "jinja" if self._wording.chosen(subject).is_jinja else "plain",
            "examples": self._worked.sha256,
            "chain_of_thought": self._spec.chain_of_thought,
        }
        sha256 = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        if sha256 not in self._versions:
            self._versions[sha256] = PromptVersion(sha256=sha256, samples=0, **told)
        self._counts[sha256] = self._counts.get(sha256, 0) + 1
        return sha256
