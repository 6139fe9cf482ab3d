"""The messages protocol of Anthropic: the system prompt apart, images as base64 blocks, named stream events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from vlmhb_stages.infer.body import ChatRequest, Turn, encoded, turns
from vlmhb_stages.infer.classify import from_status, invalid
from vlmhb_stages.infer.dialects.base import (
    Asking,
    Finish,
    StreamReading,
    Usage,
    answer,
    as_json,
    count,
    failed,
    json_object,
    nested,
)
from vlmhb_stages.infer.outcomes import Failure, Outcome

# The next version, 2026-10-21, takes no temperature at all; models that refuse it under this one are asked without.
_API_VERSION = "2023-06-01"
_REFUSAL = "the model declined to answer"
# HTTP statuses of error types, for errors that come inside a stream.
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class Anthropic:
    """`POST <base>/messages`."""

    version = "v1"

    def headers(self, secret: str | None) -> dict[str, str]:
        key = {"x-api-key": secret} if secret else {}
        return {"anthropic-version": _API_VERSION, **key}

    def url(self, base: str, *, model: str, stream: bool) -> str:
        del model, stream  # both stand in the body
        return f"{base}/messages"

    def model_url(self, base: str, *, model: str) -> str:
        return f"{base}/models/{model}"

    def described(self, data: Any) -> dict[str, Any]:
        return dict(data)

    def body(self, request: ChatRequest, *, asking: Asking) -> bytes:
        said = list(turns(request))
        system = "\n\n".join(turn.message.content for turn in said if turn.message.role == "system")
        pieces: list[bytes | memoryview] = [b'{"model":', as_json(asking.model), b',"messages":[']
        for number, turn in enumerate(turn for turn in said if turn.message.role != "system"):
            pieces += [b"," if number else b"", *_message(turn)]
        pieces += [b"],", as_json(_options(request, asking, system=system))[1:]]
        return b"".join(pieces)

    def stream(self, *, started: float) -> StreamReading:
        return AnthropicStream(started=started)

    def whole(self, body: bytes, *, latency_s: float) -> Outcome:
        data = json_object(body, what="the body")
        if isinstance(data, Failure):
            return data
        if data.get("type") == "error":
            return _failure(nested(data, "error"))
        content = data.get("content")
        if not isinstance(content, list):
            return invalid("the body holds no content")
        blocks = [block for block in content if isinstance(block, dict) and block.get("type") == "text"]
        finish = _finish(data.get("stop_reason"))
        return answer(
            text="".join(str(block.get("text") or "") for block in blocks),
            refusal=_why(data) if finish.status == "refused" else "",
            finish=finish,
            usage=_usage(nested(data, "usage"), before=Usage()),
            latency_s=latency_s,
        )


class AnthropicStream(StreamReading):
    """message_start (input tokens), content_block_delta (text), message_delta (stop reason, output tokens),
    message_stop; `ping` in between says nothing."""

    def _take(self, chunk: dict[str, Any], *, now: float) -> None:
        kind = chunk.get("type")
        if kind == "error":
            self._failure = _failure(nested(chunk, "error"))
        elif kind == "message_start":
            self._usage = _usage(nested(nested(chunk, "message"), "usage"), before=self._usage)
        elif kind == "content_block_delta":
            self._delta(nested(chunk, "delta"), now=now)
        elif kind == "message_delta":
            self._usage = _usage(nested(chunk, "usage"), before=self._usage)
            delta = nested(chunk, "delta")
            self._finish_with(_finish(delta.get("stop_reason")), now=now)
            if delta.get("stop_reason") == "refusal":
                self._refusal.append(_why(delta))
        elif kind == "message_stop":
            self.finished = True

    def _delta(self, delta: dict[str, Any], *, now: float) -> None:
        kind = delta.get("type")
        if kind == "text_delta" and delta.get("text"):
            self._say(str(delta["text"]), now=now)
        elif kind in ("thinking_delta", "input_json_delta"):
            self._say("", now=now, shown=False)


def _message(turn: Turn) -> Iterator[bytes | memoryview]:
    role, content = as_json(turn.message.role), turn.message.content
    yield b'{"role":' + role + b',"content":'
    if not turn.images:
        yield as_json(content)
    else:
        for number, url in enumerate(turn.images):
            yield b"," if number else b"["
            yield from _image(url)
        # an empty text block is refused
        yield b"," + as_json({"type": "text", "text": content}) + b"]" if content else b"]"
    yield b"}"


def _image(url: bytes) -> Iterator[bytes | memoryview]:
    image = encoded(url)
    yield b'{"type":"image","source":{"type":"base64","media_type":' + as_json(image.mime) + b',"data":"'
    yield image.base64
    yield b'"}}'


def _options(request: ChatRequest, asking: Asking, *, system: str) -> dict[str, Any]:
    options = {name: value for name, value in asking.options.items() if name != "seed"}  # there is none
    if "stop" in options:
        options["stop_sequences"] = options.pop("stop")
    if system:
        options["system"] = system
    schema = asking.schema_for(request)
    if schema is not None:
        options["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    options["stream"] = asking.accepts.stream
    return options


def _finish(reason: object) -> Finish:
    if not isinstance(reason, str):
        return Finish(reason=None)
    if reason == "refusal":
        return Finish(reason=reason, status="refused")
    cut = reason in ("max_tokens", "model_context_window_exceeded")
    return Finish(reason=reason, status="truncated" if cut else "ok")


def _why(data: dict[str, Any]) -> str:
    return str(nested(data, "stop_details").get("explanation") or _REFUSAL)


def _usage(usage: dict[str, Any], *, before: Usage) -> Usage:
    """Counts are cumulative; `input_tokens` leaves out what the prompt cache took or gave."""
    fresh, output = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
    after = replace(before, output=output if output is not None else before.output)
    if fresh is None:
        return after
    read = count(usage.get("cache_read_input_tokens"))
    written = count(usage.get("cache_creation_input_tokens"))
    return replace(after, input=fresh + (read or 0) + (written or 0), cached=read)


def _failure(error: dict[str, Any]) -> Failure:
    body = as_json({"error": error})
    status = _STATUS.get(str(error.get("type")), 500)
    return failed(from_status(status, headers={}, body=body, now=0.0), status_code=status)
