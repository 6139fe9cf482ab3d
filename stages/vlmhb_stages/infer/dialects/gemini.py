"""The generateContent protocol of Gemini: the model in the path, images as inline data, a stream of whole objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from vlmhb_stages.infer.body import ChatRequest, Turn, encoded, turns
from vlmhb_stages.infer.classify import from_status, invalid
from vlmhb_stages.infer.dialects.base import (
    Asking,
    Finish,
    StreamReading,
    Usage,
    answer,
    as_json,
    broken,
    count,
    failed,
    first_of,
    json_object,
    nested,
)
from vlmhb_stages.infer.outcomes import Failure, Outcome

_NAMES = {
    "temperature": "temperature",
    "max_tokens": "maxOutputTokens",
    "top_p": "topP",
    "seed": "seed",
    "stop": "stopSequences",
}
_FILTERS = (
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "ESCALATION", "MODEL_ARMOR",
)  # fmt: skip
_BROKEN = ("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "OTHER")


class Gemini:
    """`POST <base>/models/<model>:generateContent`, and `:streamGenerateContent?alt=sse`."""

    version = "v1"  # the stable one; aliases such as `-latest` need a base URL that ends with /v1beta

    def headers(self, secret: str | None) -> dict[str, str]:
        return {"x-goog-api-key": secret} if secret else {}

    def url(self, base: str, *, model: str, stream: bool) -> str:
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"{self.model_url(base, model=model)}:{verb}"

    def model_url(self, base: str, *, model: str) -> str:
        """A name with a slash (`tunedModels/x`) is a path already."""
        return f"{base}/{quote(model)}" if "/" in model else f"{base}/models/{quote(model)}"

    def described(self, data: Any) -> dict[str, Any]:
        return dict(data)

    def body(self, request: ChatRequest, *, asking: Asking) -> bytes:
        said = list(turns(request))
        system = [{"text": turn.message.content} for turn in said if turn.message.role == "system"]
        options: dict[str, Any] = {"systemInstruction": {"parts": system}} if system else {}
        options["generationConfig"] = _config(request, asking)
        pieces: list[bytes | memoryview] = [b'{"contents":[']
        for number, turn in enumerate(turn for turn in said if turn.message.role != "system"):
            pieces += [b"," if number else b"", *_content(turn)]
        pieces += [b"],", as_json(options)[1:]]
        return b"".join(pieces)

    def stream(self, *, started: float) -> StreamReading:
        return GeminiStream(started=started)

    def whole(self, body: bytes, *, latency_s: float) -> Outcome:
        data = json_object(body, what="the body")
        if isinstance(data, Failure):
            return data
        failure = _error_in(data)
        if failure is not None:
            return failure
        candidate = first_of(data.get("candidates"))
        blocked = _blocked(data)
        if not candidate and not blocked:
            return invalid("the body holds no candidates[0]")
        finish = _finish(candidate.get("finishReason"))
        if finish.reason in _BROKEN:
            return broken(finish.reason, candidate.get("finishMessage"))
        return answer(
            text="".join(str(part["text"]) for part in _texts(candidate) if not part.get("thought")),
            refusal=blocked,
            finish=finish,
            usage=_usage(nested(data, "usageMetadata")),
            latency_s=latency_s,
        )


class GeminiStream(StreamReading):
    """Every event is a whole response with the next part of the text; the end of the stream is the only mark."""

    def _take(self, chunk: dict[str, Any], *, now: float) -> None:
        self._failure = _error_in(chunk)
        usage = nested(chunk, "usageMetadata")
        if usage:
            self._usage = _usage(usage)
        if blocked := _blocked(chunk):
            self._refusal.append(blocked)
            self._finish_with(Finish(reason=None, status="refused"), now=now)
        candidate = first_of(chunk.get("candidates"))
        for part in _texts(candidate):
            running = self._usage.output if usage else None
            self._say(str(part["text"]), now=now, shown=not part.get("thought"), tokens=running)
        finish = _finish(candidate.get("finishReason"))
        if finish.reason in _BROKEN:
            self._failure = broken(finish.reason, candidate.get("finishMessage"))
        elif finish.reason is not None:
            self._finish_with(finish, now=now)


def _content(turn: Turn) -> Iterator[bytes | memoryview]:
    yield b'{"role":"model","parts":[' if turn.message.role == "assistant" else b'{"role":"user","parts":['
    for number, url in enumerate(turn.images):
        yield b"," if number else b""
        yield from _image(url)
    if turn.message.content or not turn.images:
        yield (b"," if turn.images else b"") + as_json({"text": turn.message.content})
    yield b"]}"


def _image(url: bytes) -> Iterator[bytes | memoryview]:
    image = encoded(url)
    yield b'{"inlineData":{"mimeType":' + as_json(image.mime) + b',"data":"'
    yield image.base64
    yield b'"}}'


def _config(request: ChatRequest, asking: Asking) -> dict[str, Any]:
    config = {_NAMES[name]: value for name, value in asking.options.items()}
    schema = asking.schema_for(request)
    if schema is not None:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": schema}
    return config


def _texts(candidate: dict[str, Any]) -> list[dict[str, Any]]:
    parts = nested(candidate, "content").get("parts")
    return (
        [part for part in parts if isinstance(part, dict) and part.get("text")]
        if isinstance(parts, list)
        else []
    )


def _finish(reason: object) -> Finish:
    if not isinstance(reason, str) or reason == "FINISH_REASON_UNSPECIFIED":
        return Finish(reason=None)
    if reason in _FILTERS:
        return Finish(reason=reason, status="refused")
    return Finish(reason=reason, status="truncated" if reason == "MAX_TOKENS" else "ok")


def _blocked(data: dict[str, Any]) -> str:
    """Why the prompt itself was refused; empty where it was not."""
    feedback = nested(data, "promptFeedback")
    reason = feedback.get("blockReason")
    return f"the prompt was blocked: {feedback.get('blockReasonMessage') or reason}" if reason else ""


def _usage(usage: dict[str, Any]) -> Usage:
    """Output is what is billed as such: the answer and the thoughts before it."""
    answered, thought = count(usage.get("candidatesTokenCount")), count(usage.get("thoughtsTokenCount"))
    details = usage.get("promptTokensDetails")
    images = [
        count(detail.get("tokenCount"))
        for detail in (details if isinstance(details, list) else [])
        if isinstance(detail, dict) and detail.get("modality") == "IMAGE"
    ]
    known = [number for number in (answered, thought) if number is not None]
    return Usage(
        input=count(usage.get("promptTokenCount")),
        output=sum(known) if known else None,
        image=images[0] if images else None,
        cached=count(usage.get("cachedContentTokenCount")),
    )


def _error_in(data: dict[str, Any]) -> Failure | None:
    error = nested(data, "error")
    if not error:
        return None
    status = count(error.get("code")) or 500
    return failed(
        from_status(status, headers={}, body=as_json({"error": error}), now=0.0), status_code=status
    )
