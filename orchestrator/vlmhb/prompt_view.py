"""What `vlmhb prompts show` shows: one sample as a model would be sent it, made by the same stage as in a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmhb_stages.contracts import Message, PromptVersion, Sample

from vlmhb.benchmark_findings import sent_messages
from vlmhb.console import Console
from vlmhb.contracts import ResolvedEvaluation
from vlmhb.errors import UnknownName
from vlmhb.plan.specs import name_at_server
from vlmhb.preparing import sealed_inputs
from vlmhb.reading.names import name_hint
from vlmhb.request import Request, resolve_request

NAME = "prompts-show"


@dataclass(frozen=True, kw_only=True)
class PromptView:
    """`number` counts from 1. `version` is None for a sample that is never sent."""

    evaluation: ResolvedEvaluation
    sample: Sample
    number: int
    version: PromptVersion | None

    def as_json(self) -> dict[str, Any]:
        sample, model = self.sample, self.evaluation.model
        return {
            "evaluation": self.evaluation.id,
            "sample_id": sample.sample_id,
            "number": self.number,
            "model": name_at_server(model),
            "messages": sent_messages(sample),
            "decoding": self.evaluation.decoding.model_dump(mode="json", exclude_none=True),
            "max_image_side": self.evaluation.max_image_side,
            "response_schema": sample.response_schema,
            "response_schema_sent": sample.response_schema is not None and self.is_structured,
            "prompt": self.version.model_dump(exclude={"samples"}) if self.version else None,
            "never_sent": sample.error.model_dump() if sample.error else None,
        }

    @property
    def is_structured(self) -> bool:
        return "structured" in self.evaluation.model.capabilities

    def as_lines(self) -> Iterator[str]:
        """For a person."""
        evaluation, sample = self.evaluation, self.sample
        yield f"{evaluation.id}, sample {sample.sample_id} (number {self.number})"
        if sample.error is not None:
            yield f"never sent: {sample.error.kind}: {sample.error.message}"
        yield f"model {self.as_json()['model']}; {_decoding(evaluation)}"
        if self.version is not None:
            yield f"prompt {self.version.sha256[:12]}"
        for message, images in zip(sample.messages, sample.images_by_message, strict=True):
            yield ""
            yield f"--- {message.role}{_note(message, sample)}"
            yield from (f"[image {image.path}, {image.width}x{image.height}]" for image in images)
            yield message.content
        yield from self._ending()

    def _ending(self) -> Iterator[str]:
        side = self.evaluation.max_image_side
        if side is not None and any(max(image.width, image.height) > side for image in self.sample.images):
            yield f"\nimages are sent with no side over {side} pixels"
        if self.sample.response_schema is not None:
            sent = "sent" if self.is_structured else "not sent: the model's card does not say `structured`"
            yield f"\nresponse schema ({sent}): {self.sample.response_schema}"


def view_prompt(request: Request, *, sample: str, evaluation: str | None, console: Console) -> PromptView:
    """`sample`: an id, else a number from 1. Runs `prepare` where its artifact is not there; asks no model.

    Raises every config error, what `prepare` raises, and `UnknownName`."""
    asked = resolve_request(request)
    chosen = _evaluation(asked.evaluations, name=evaluation, where=str(request.config))
    if evaluation is None and len(asked.evaluations) > 1:
        console.say(f"the first of {len(asked.evaluations)} evaluations; --evaluation names another")
    inputs = sealed_inputs(
        chosen,
        registry=asked.registry,
        workspace=request.workspace,
        engine=request.engine or asked.config.engine,
        console=console,
        called=NAME,
    )
    folder = inputs.artifact.out / "inputs"
    number, found = _sample(folder / "samples.jsonl", wanted=sample, where=chosen.id)
    return PromptView(
        evaluation=chosen,
        sample=found,
        number=number,
        version=_version(folder / "prompts.jsonl", sha256=found.prompt_sha256),
    )


def _evaluation(
    evaluations: tuple[ResolvedEvaluation, ...], *, name: str | None, where: str
) -> ResolvedEvaluation:
    if name is None:
        return evaluations[0]
    known = {evaluation.id: evaluation for evaluation in evaluations}
    if name not in known:
        hint = name_hint(name, known) or f"there are: {', '.join(known)}"
        raise UnknownName(f"no evaluation '{name}'", where=where, hint=hint)
    return known[name]


def _sample(path: Path, *, wanted: str, where: str) -> tuple[int, Sample]:
    """With its number. An id counts before a number."""
    by_number: tuple[int, Sample] | None = None
    count = 0
    with path.open("rb") as file:
        for count, line in enumerate(file, start=1):
            sample = Sample.model_validate_json(line)
            if sample.sample_id == wanted:
                return count, sample
            if str(count) == wanted:
                by_number = (count, sample)
    if by_number is None:
        raise UnknownName(f"no sample '{wanted}'", where=where, hint=f"an id, or a number from 1 to {count}")
    return by_number


def _version(path: Path, *, sha256: str | None) -> PromptVersion | None:
    with path.open("rb") as file:
        versions = (PromptVersion.model_validate_json(line) for line in file)
        return next((version for version in versions if version.sha256 == sha256), None)


def _decoding(evaluation: ResolvedEvaluation) -> str:
    told = evaluation.decoding.model_dump(mode="json", exclude_none=True, exclude_defaults=False)
    return ", ".join(f"{name} {value}" for name, value in told.items() if value != [])


def _note(message: Message, sample: Sample) -> str:
    """Marks worked examples: all turns before the last one of the user."""
    last = max((i for i, one in enumerate(sample.messages) if one.role == "user"), default=0)
    before = next(i for i, one in enumerate(sample.messages) if one is message) < last
    return " (example)" if before and message.role != "system" else ""
