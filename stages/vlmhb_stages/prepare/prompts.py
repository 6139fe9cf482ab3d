"""What a model is asked: prompt collection over prompt over the dataset's own question, then the choices."""

from __future__ import annotations

import string
from collections.abc import Sequence

from vlmhb_benchmarks.loaders import RawSample

from vlmhb_stages.contracts import Message
from vlmhb_stages.specs import PrepareSpec

# For datasets of plain pages, whose rows ask nothing, when the card gives no prompt either.
OCR_PROMPT = "Transcribe all text on this page in reading order. Output only the text."


def prompt_key(sample: RawSample) -> str:
    """The key of a prompt collection. It is built, never split: a class may contain spaces."""
    return f"{sample.metadata.get('doc_class', '')} {sample.metadata.get('question_type', '')}"


def lacks_prompt(sample: RawSample, *, spec: PrepareSpec) -> bool:
    """True when there is a collection and it has no entry for this sample (an empty entry is one)."""
    return bool(spec.prompts) and prompt_key(sample) not in spec.prompts


def question(sample: RawSample, *, spec: PrepareSpec) -> str:
    """The text of the question; empty when nobody gives one."""
    if spec.prompts:
        text = spec.prompts.get(prompt_key(sample), "") or sample.question
    else:
        text = spec.prompt or sample.question
    return text or (OCR_PROMPT if spec.task_type == "ocr" else "")


def with_choices(text: str, choices: Sequence[str]) -> str:
    """The question and below it one line a choice: `A. first`, `B. second` ..."""
    letters = string.ascii_uppercase
    lines = [f"{letter}. {choice}" for letter, choice in zip(letters, choices, strict=False)]
    return "\n".join((text, *lines))


def messages(sample: RawSample, *, spec: PrepareSpec) -> tuple[Message, ...]:
    """The system message, if any, and the user message."""
    user = Message(role="user", content=with_choices(question(sample, spec=spec), sample.choices or ()))
    if spec.system_prompt:
        return (Message(role="system", content=spec.system_prompt), user)
    return (user,)
