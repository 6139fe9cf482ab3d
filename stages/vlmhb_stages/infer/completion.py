"""Reads a chat completion, whole or chunk by chunk, into an answer or a failure. Pure: times are given."""

from __future__ import annotations

import json
from typing import Any

from vlmhb_stages.infer.classify import from_error_object, invalid
from vlmhb_stages.infer.outcomes import Answer, Failure, Outcome
from vlmhb_stages.text import well_formed

_REASONING = ("reasoning_content", "reasoning")


class StreamedCompletion:
    """Gathers the `data:` payloads of one stream.

    TTFT ends with the first chunk that carries content, reasoning or a tool call, the latency with the last
    chunk of
    data, the usage chunk included (definitions as in common load testers)."""

    def __init__(self, *, started: float) -> None:
        self.finished = False  # [DONE] was seen
        self._started = started
        self._first: float | None = None
        self._last = started
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._finish_reason: str | None = None
        self._usage: dict[str, Any] = {}
        self._failure: Failure | None = None

    @property
    def has_token(self) -> bool:
        return self._first is not None

    @property
    def is_over(self) -> bool:
        """Nothing that follows could change the outcome."""
        return self.finished or self._failure is not None

    def feed(self, payload: str, *, now: float) -> None:
        """One payload, arrived at `now` (the clock of `started`)."""
        if self.is_over:
            return
        if payload.strip() == "[DONE]":
            self.finished = True
            return
        try:
            chunk = json.loads(payload)
        except ValueError:
            self._failure = invalid(f"a stream chunk is not JSON: {payload!r}")
            return
        if not isinstance(chunk, dict):
            self._failure = invalid("a stream chunk is not an object")
            return
        self._failure = _error_in(chunk)
        self._last = now
        self._take(chunk, now=now)

    def outcome(self) -> Outcome:
        """Call once the stream has ended."""
        if self._failure is not None:
            return self._failure
        if not self.finished and self._finish_reason is None:
            return invalid("the stream ended before the answer did")
        return _answer(
            text="".join(self._text),
            refusal="".join(self._refusal),
            finish_reason=self._finish_reason,
            usage=self._usage,
            latency_s=self._last - self._started,
            ttft_s=self._first - self._started if self._first is not None else None,
        )

    def _take(self, chunk: dict[str, Any], *, now: float) -> None:
        if isinstance(chunk.get("usage"), dict):
            self._usage = chunk["usage"]
        choice = _first_choice(chunk)
        if choice is None:
            return
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        text, refusal = _as_text(delta.get("content")), _as_text(delta.get("refusal"))
        self._text.append(text)
        self._refusal.append(refusal)
        others = (refusal, delta.get("tool_calls"), *(delta.get(key) for key in _REASONING))
        if self._first is None and (text or any(others)):
            self._first = now


def whole_completion(body: bytes, *, latency_s: float) -> Outcome:
    """The outcome of an answer that came in one piece."""
    try:
        data = json.loads(body)
    except ValueError:
        return invalid(f"the body is not JSON: {body!r}")
    if not isinstance(data, dict):
        return invalid("the body is not an object")
    failure = _error_in(data)
    if failure is not None:
        return failure
    choice = _first_choice(data)
    message = choice.get("message") if choice is not None else None
    if choice is None or not isinstance(message, dict):
        return invalid("the body holds no choices[0].message")
    usage = data.get("usage")
    return _answer(
        text=_as_text(message.get("content")),
        refusal=_as_text(message.get("refusal")),
        finish_reason=choice.get("finish_reason"),
        usage=usage if isinstance(usage, dict) else {},
        latency_s=latency_s,
        ttft_s=None,
    )


def _answer(
    *,
    text: str,
    refusal: str,
    finish_reason: object,
    usage: dict[str, Any],
    latency_s: float,
    ttft_s: float | None,
) -> Answer:
    refused = bool(refusal) or finish_reason == "content_filter"
    return Answer(
        status="refused" if refused else "truncated" if finish_reason == "length" else "ok",
        text=None if refused else well_formed(text),
        finish_reason=finish_reason if isinstance(finish_reason, str) else None,
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
        latency_s=latency_s,
        ttft_s=ttft_s,
        refusal=well_formed(refusal) or "stopped by the server's content filter" if refused else None,
    )


def _error_in(data: dict[str, Any]) -> Failure | None:
    if data.get("error"):
        return from_error_object(data["error"])
    return from_error_object(data) if data.get("object") == "error" else None


def _first_choice(data: dict[str, Any]) -> dict[str, Any] | None:
    choices = data.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _as_text(content: object) -> str:
    """Content is a string, nothing, or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
