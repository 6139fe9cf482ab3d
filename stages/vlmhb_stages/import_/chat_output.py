"""Reads the model output object that inspect_ai and EvalScope share: choices, stop reason, usage, error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlmhb_stages.import_.jsontext import content_text
from vlmhb_stages.import_.rows import Outcome, answered, count, failed, field_of, truncated


def outcome_of(output: Mapping[str, Any]) -> Outcome:
    """The first choice. Both tools put the provider's error message into the text of a request that was refused
    or did not fit; it is told as the reason and never becomes an answer."""
    choices = output.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    text = content_text(field_of(choice, "message.content"))
    error = output.get("error")
    if text is None:
        return failed(str(error) if error else "the record has no answer")
    reason = field_of(choice, "stop_reason")
    if reason == "content_filter":
        return failed(str(error or text), status="refused", kind="content_filter")
    if reason == "model_length" and not _generated(output):
        return failed(str(error or text), status="context_overflow", kind="context_overflow")
    if error:
        return failed(str(error))
    if reason in ("max_tokens", "length", "model_length"):
        return truncated(text, finish_reason=str(reason))
    return answered(text, finish_reason=reason if isinstance(reason, str) else None)


def _generated(output: Mapping[str, Any]) -> bool:
    """Whether the model itself said something, by the tokens that were counted."""
    return bool(count(field_of(output, "usage.output_tokens")))
