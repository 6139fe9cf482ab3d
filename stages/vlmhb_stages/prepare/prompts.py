"""The question of a sample: prompt collection over prompt over the dataset's own question, then the choices.

A template stands around questions of the dataset and of a collection, choices included. A prompt of the card or of the
row is sent as it is: whoever writes the whole text wants no more around it. What becomes of the question in the end
stands in `conversation.py`."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from vlmhb_benchmarks.loaders import RawSample

from vlmhb_stages.prepare.failure import PrepareFailed
from vlmhb_stages.specs import PrepareSpec

# For datasets of plain pages, whose rows ask nothing, when the card gives no prompt either.
OCR_PROMPT = "Transcribe all text on this page in reading order. Output only the text."

PLACEHOLDER = "{question}"


def prompt_key(sample: RawSample) -> str:
    """The key of a prompt collection. It is built, never split: a class may contain spaces."""
    return f"{sample.metadata.get('doc_class', '')} {sample.metadata.get('question_type', '')}"


def lacks_prompt(sample: RawSample, *, spec: PrepareSpec) -> bool:
    """True when there is a collection and it has no entry for this sample (an empty entry is one)."""
    return bool(spec.prompts) and prompt_key(sample) not in spec.prompts


def check_template(spec: PrepareSpec) -> None:
    """Raises `PrepareFailed` for a template that would leave the question out."""
    if spec.template is not None and PLACEHOLDER not in spec.template:
        raise PrepareFailed(
            f"the template does not say {PLACEHOLDER}",
            hint="to replace every question, use prompt",
            code="VHB202",
        )


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The question of a sample, before any template."""

    text: str
    is_question: bool  # of the dataset or of a collection, so that the template applies
    is_own: bool = False  # of the dataset


def asked(sample: RawSample, *, spec: PrepareSpec) -> Asked:
    """Its text is empty when nobody gives one."""
    whole = None if spec.prompts else spec.prompt
    if whole:
        return Asked(text=whole, is_question=False)
    collected = spec.prompts.get(prompt_key(sample), "")
    if collected:
        return Asked(text=collected, is_question=True)
    if sample.question:
        return Asked(text=sample.question, is_question=True, is_own=True)
    return Asked(text=OCR_PROMPT if spec.task_type == "ocr" else "", is_question=False)


def with_choices(text: str, choices: Sequence[str]) -> str:
    """The question and below it one line a choice: `A. first`, `B. second` ..."""
    letters = string.ascii_uppercase
    lines = [f"{letter}. {choice}" for letter, choice in zip(letters, choices, strict=False)]
    return "\n".join((text, *lines))
