"""The shapes of the OpenAI chat protocol that the server writes: completions, chunks, models, errors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from vlmhb_models.base import Generation, Part

Json = dict[str, Any]


class ApiError(Exception):
    """An answer with an error object instead of a completion."""

    def __init__(self, status: int, message: str, *, type_: str, code: str) -> None:
        self.status = status
        self.type_ = type_
        self.code = code
        super().__init__(message)

    def body(self) -> Json:
        return {"error": {"message": str(self), "type": self.type_, "code": self.code}}


def invalid(message: str, *, code: str = "bad_request", status: int = 400) -> ApiError:
    """The request itself is wrong: sending it again gives the same."""
    return ApiError(status, message, type_="invalid_request_error", code=code)


def unavailable(message: str, *, code: str) -> ApiError:
    """Not now: a later try can succeed."""
    return ApiError(503, message, type_="service_unavailable", code=code)


def model_raised(error: BaseException) -> ApiError:
    """The model's own exception, told by class and text; its traceback is in the server's log."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return ApiError(500, text, type_="server_error", code="model_error")


@dataclass(frozen=True)
class Envelope:
    """What every object of one answer shares."""

    id: str
    created: int  # seconds since the epoch
    model: str

    def completion(self, generation: Generation) -> Json:
        message = {"role": "assistant", "content": generation.text}
        choice = {"index": 0, "message": message, "finish_reason": generation.finish_reason}
        body = self._object("chat.completion", choices=[choice])
        body["usage"] = usage(generation)
        if generation.extra:
            body["vlmhb"] = generation.extra
        return body

    def chunk(self, *, delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return self._object("chat.completion.chunk", choices=[choice])

    def part_chunk(self, part: Part, *, running_usage: bool) -> Json:
        body = self.chunk(delta={"content": part.text})
        if running_usage and part.output_tokens is not None:
            body["usage"] = {"completion_tokens": part.output_tokens}
        return body

    def last_chunk(self, generation: Generation) -> Json:
        body = self.chunk(delta={}, finish_reason=generation.finish_reason)
        if generation.extra:
            body["vlmhb"] = generation.extra
        return body

    def usage_chunk(self, generation: Generation) -> Json:
        body = self._object("chat.completion.chunk", choices=[])
        body["usage"] = usage(generation)
        return body

    def _object(self, kind: str, *, choices: list[Json]) -> Json:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


def usage(generation: Generation) -> Json | None:
    """Token counts as the model gave them; None where it has none (an OCR engine), never a guess."""
    prompt, completion = generation.input_tokens, generation.output_tokens
    if prompt is None and completion is None:
        return None
    total = None if prompt is None or completion is None else prompt + completion
    counts: Json = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    if generation.image_tokens is not None:
        counts["prompt_tokens_details"] = {"image_tokens": generation.image_tokens}
    return counts


def model_list(*, name: str, interface: str, created: int, details: Json) -> Json:
    """`GET /v1/models`: the one model, with what it says of itself under `vlmhb`."""
    entry = {"id": name, "object": "model", "created": created, "owned_by": "vlmhb"}
    entry["vlmhb"] = {"interface": interface, **details}
    return {"object": "list", "data": [entry]}


def encode(body: Json) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8")


def event(body: Json) -> bytes:
    """One server-sent event."""
    return b"data: " + encode(body) + b"\n\n"


DONE = b"data: [DONE]\n\n"
