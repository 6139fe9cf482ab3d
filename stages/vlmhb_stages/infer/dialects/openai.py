"""The chat completions protocol of OpenAI, which vLLM, SGLang, llama.cpp and most gateways speak as well.

The JSON is put together from pieces, so that an encoded image is copied once and never scanned.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vlmhb_stages.infer.body import ChatRequest, Turn, turns
from vlmhb_stages.infer.classify import from_error_object, invalid
from vlmhb_stages.infer.dialects.base import (
    Asking,
    Finish,
    StreamReading,
    Usage,
    answer,
    as_json,
    broken,
    count,
    first_of,
    json_object,
    nested,
)
from vlmhb_stages.infer.outcomes import Failure, Outcome

_REASONING = ("reasoning_content", "reasoning")
_CUT = ("length", "model_length")  # the latter of Mistral
# What ended the answer is no end of it (vLLM, SGLang; Mistral, OpenRouter; DeepSeek).
_BROKEN = ("abort", "error", "insufficient_system_resource")


class OpenAI:
    """`POST <base>/chat/completions`."""

    version = "v1"

    def headers(self, secret: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {secret}"} if secret else {}

    def url(self, base: str, *, model: str, stream: bool) -> str:
        del model, stream  # both stand in the body
        return f"{base}/chat/completions"

    def model_url(self, base: str, *, model: str) -> str:
        del model
        return f"{base}/models"

    def described(self, data: Any) -> dict[str, Any]:
        return dict(data["data"][0])

    def body(self, request: ChatRequest, *, asking: Asking) -> bytes:
        pieces = [b'{"model":', as_json(asking.model), b',"messages":[']
        for number, turn in enumerate(turns(request)):
            pieces += [b"," if number else b"", *_message(turn)]
        pieces += [b"],", as_json(_options(request, asking))[1:]]
        return b"".join(pieces)

    def stream(self, *, started: float) -> StreamReading:
        return OpenAIStream(started=started)

    def whole(self, body: bytes, *, latency_s: float) -> Outcome:
        data = json_object(body, what="the body")
        if isinstance(data, Failure):
            return data
        failure = _error_in(data)
        if failure is not None:
            return failure
        choice = first_of(data.get("choices"))
        message = choice.get("message")
        if not isinstance(message, dict):
            return invalid("the body holds no choices[0].message")
        if not isinstance(message.get("content"), str | list | None):
            return invalid("choices[0].message.content is no text")
        if choice.get("finish_reason") in _BROKEN:
            return broken(choice["finish_reason"])
        return answer(
            text=_as_text(message.get("content")),
            refusal=_as_text(message.get("refusal")),
            finish=_finish(choice.get("finish_reason")),
            usage=_usage(nested(data, "usage")),
            latency_s=latency_s,
            adjusted=_adjusted(data),
        )


class OpenAIStream(StreamReading):
    """Chunks with `choices[0].delta`; usage in the last one, or running in every one (vLLM, SGLang)."""

    def feed(self, payload: str, *, now: float) -> None:
        if payload == "[DONE]":
            self.finished = True
        else:
            super().feed(payload, now=now)

    def _take(self, chunk: dict[str, Any], *, now: float) -> None:
        self._failure = _error_in(chunk)
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self._usage = _usage(usage)
        self._adjusted += _adjusted(chunk)
        choice = first_of(chunk.get("choices"))
        delta = nested(choice, "delta")
        if not isinstance(delta.get("content"), str | list | None):
            self._failure = invalid("choices[0].delta.content is no text")
        text, refusal = _as_text(delta.get("content")), _as_text(delta.get("refusal"))
        if text or refusal or delta.get("tool_calls") or any(delta.get(key) for key in _REASONING):
            running = self._usage.output if isinstance(usage, dict) else None
            self._say(text, now=now, tokens=running)
            self._refusal.append(refusal)
        if choice.get("finish_reason") in _BROKEN:
            self._failure = broken(choice["finish_reason"])
        elif choice.get("finish_reason"):
            self._finish_with(_finish(choice["finish_reason"]), now=now)


def _message(turn: Turn) -> Iterator[bytes]:
    role, content = as_json(turn.message.role), turn.message.content
    yield b'{"role":' + role + b',"content":'
    if not turn.images:
        yield as_json(content)
    else:
        for number, url in enumerate(turn.images):
            yield b"," if number else b"["
            yield b'{"type":"image_url","image_url":{"url":"'
            yield url
            yield b'"}}'
        yield b"," + as_json({"type": "text", "text": content}) + b"]" if content else b"]"
    yield b"}"


def _options(request: ChatRequest, asking: Asking) -> dict[str, Any]:
    accepts, options = asking.accepts, asking.options
    if not accepts.max_tokens:
        options["max_completion_tokens"] = options.pop("max_tokens")
    schema = asking.schema_for(request)
    if schema is not None:
        wrapped = {"name": "answer", "strict": is_closed(schema), "schema": schema}
        options["response_format"] = {"type": "json_schema", "json_schema": wrapped}
    options["stream"] = accepts.stream
    if accepts.stream and accepts.usage:
        options["stream_options"] = {"include_usage": True} | (
            {"continuous_usage_stats": True} if accepts.running_usage else {}
        )
    return options


def is_closed(schema: object) -> bool:
    """Whether a schema keeps the rules of OpenAI's strict mode: objects are closed and need all their keys."""
    if isinstance(schema, list):
        return all(map(is_closed, schema))
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        keys = set(properties) if isinstance(properties, dict) else set()
        if schema.get("additionalProperties") is not False or keys != set(schema.get("required", ())):
            return False
    return all(map(is_closed, schema.values()))


def _finish(reason: object) -> Finish:
    if not isinstance(reason, str):
        return Finish(reason=None)
    if reason == "content_filter":
        return Finish(reason=reason, status="refused")
    return Finish(reason=reason, status="truncated" if reason in _CUT else "ok")


def _usage(usage: dict[str, Any]) -> Usage:
    details = nested(usage, "prompt_tokens_details")
    return Usage(
        input=count(usage.get("prompt_tokens")),
        output=count(usage.get("completion_tokens")),
        image=count(details.get("image_tokens")),
        cached=count(details.get("cached_tokens")),
    )


def _adjusted(data: dict[str, Any]) -> tuple[str, ...]:
    """What our own server did otherwise than asked (`vlmhb_models.serve`); others say nothing of the kind."""
    told = nested(data, "vlmhb").get("adjusted")
    return tuple(word for word in told if isinstance(word, str)) if isinstance(told, list) else ()


def _error_in(data: dict[str, Any]) -> Failure | None:
    if data.get("error"):
        return from_error_object(data["error"])
    return from_error_object(data) if data.get("object") == "error" else None


def _as_text(content: object) -> str:
    """Content is a string, nothing, or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return ""
