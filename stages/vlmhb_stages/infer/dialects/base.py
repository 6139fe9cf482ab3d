"""What a chat protocol has to say for the one client: addresses, headers, bodies, and how answers are read."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from vlmhb_stages.infer.accepts import Accepts
from vlmhb_stages.infer.body import ChatRequest
from vlmhb_stages.infer.classify import invalid
from vlmhb_stages.infer.outcomes import Answer, Failure, Outcome
from vlmhb_stages.infer.token_times import TokenTimes
from vlmhb_stages.specs import Decoding
from vlmhb_stages.text import well_formed

FILTERED = "stopped by the server's content filter"
_MOST_TOKENS = 10**9  # of one request: more is no count


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How the requests of one client are put: what does not depend on the sample."""

    model: str
    decoding: Decoding
    structured: bool = False
    accepts: Accepts = field(default_factory=Accepts)

    def schema_for(self, request: ChatRequest) -> dict[str, Any] | None:
        """The schema that the server is to hold this answer to."""
        schema = request.sample.response_schema
        return schema if schema is not None and self.structured and self.accepts.takes(schema) else None

    @property
    def options(self) -> dict[str, Any]:
        """Decoding options that are set and not refused, by our own names; `max_tokens` always."""
        chosen = self.decoding.model_dump(exclude_none=True)
        if not self.decoding.stop:
            del chosen["stop"]
        return {name: value for name, value in chosen.items() if name not in self.accepts.left_out}


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Token counts as the server gives them; input includes image and cached ones."""

    input: int | None = None
    output: int | None = None
    image: int | None = None
    cached: int | None = None


@dataclass(frozen=True, kw_only=True)
class Finish:
    """How an answer ended, in the server's own word and in ours."""

    reason: str | None
    status: Literal["ok", "truncated", "refused"] = "ok"


class Dialect(Protocol):
    """One protocol. Pure: nothing here sends anything."""

    @property
    def version(self) -> str:
        """The version in the path of a base URL that names none."""

    def headers(self, secret: str | None) -> dict[str, str]: ...

    def url(self, base: str, *, model: str, stream: bool) -> str: ...

    def model_url(self, base: str, *, model: str) -> str:
        """Where the server describes the model."""

    def described(self, data: Any) -> dict[str, Any]:
        """The description in what `model_url` gives."""

    def body(self, request: ChatRequest, *, asking: Asking) -> bytes: ...

    def stream(self, *, started: float) -> StreamReading: ...

    def whole(self, body: bytes, *, latency_s: float) -> Outcome: ...


class StreamReading(ABC):
    """Gathers the `data:` payloads of one stream.

    TTFT ends with the first chunk that carries content, reasoning or a tool call, the latency with the last chunk of
    data, the usage chunk included (definitions as in common load testers)."""

    def __init__(self, *, started: float) -> None:
        self.finished = False  # the protocol's own mark of the end was seen
        self.is_whole = False  # the server says that it does not stream
        self._started = started
        self._last = started
        self._end = started  # when the finish reason came
        self._times = TokenTimes()
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._finish: Finish | None = None
        self._usage = Usage()
        self._adjusted: tuple[str, ...] = ()  # by the server itself
        self._failure: Failure | None = None

    @property
    def has_token(self) -> bool:
        return self._times.first is not None

    @property
    def is_over(self) -> bool:
        """Nothing that follows could change the outcome."""
        return self.finished or self._failure is not None

    @property
    def is_answered(self) -> bool:
        """All of the text is there; counts and marks of the end may still follow."""
        return self.finished or self._finish is not None

    def feed(self, payload: str, *, now: float) -> None:
        """One payload, arrived at `now` (the clock of `started`)."""
        if self.is_over:
            return
        chunk = json_object(payload, what="a stream chunk")
        if isinstance(chunk, Failure):
            self._failure = chunk
            return
        self._last = now
        self._take(chunk, now=now)

    @abstractmethod
    def _take(self, chunk: dict[str, Any], *, now: float) -> None:
        """One chunk of the protocol."""

    def outcome(self) -> Outcome:
        """Call once the stream has ended."""
        if self._failure is not None:
            return replace(self._failure, begun=self.has_token)
        if self._finish is None and not (self.finished and self.has_token):
            return invalid("the stream ended before the answer did")
        first, tokens = self._times.first, self._usage.output
        streamed = not self.is_whole and self._times.was_streamed(end=self._end, tokens=tokens)
        gaps = self._times.gaps(tokens) if streamed else None
        return answer(
            text="".join(self._text),
            refusal="".join(self._refusal),
            finish=self._finish or Finish(reason=None),
            usage=self._usage,
            latency_s=self._last - self._started,
            ttft_s=first - self._started if streamed and first is not None else None,
            itl=gaps.to_dict() if gaps is not None else None,
            adjusted=self._adjusted,
        )

    def _say(self, text: str, *, now: float, shown: bool = True, tokens: int | None = None) -> None:
        """A piece of the answer, or of the reasoning before it; `tokens` so far, where the server tells."""
        self._times.piece(now=now, tokens=tokens)
        self._end = now
        if shown:
            self._text.append(text)

    def _finish_with(self, finish: Finish, *, now: float) -> None:
        self._finish = finish
        self._end = now


def answer(
    *,
    text: str,
    refusal: str = "",
    finish: Finish,
    usage: Usage,
    latency_s: float,
    ttft_s: float | None = None,
    itl: dict[str, int] | None = None,
    adjusted: tuple[str, ...] = (),
) -> Answer:
    refused = bool(refusal) or finish.status == "refused"
    return Answer(
        status="refused" if refused else finish.status,
        text=None if refused else well_formed(text),
        finish_reason=finish.reason,
        input_tokens=usage.input,
        output_tokens=usage.output,
        image_tokens=usage.image,
        cached_tokens=usage.cached,
        tokens_from=None if usage.input is None and usage.output is None else "usage",
        latency_s=latency_s,
        ttft_s=ttft_s,
        itl=itl,
        adjusted=adjusted,
        refusal=well_formed(refusal) or FILTERED if refused else None,
    )


def json_object(text: str | bytes, *, what: str) -> dict[str, Any] | Failure:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):  # the latter: nested without end
        return invalid(f"{what} is not JSON: {text[:2000]!r}")
    return data if isinstance(data, dict) else invalid(f"{what} is not an object")


def failed(failure: Failure, *, status_code: int = 200) -> Failure:
    """An error that came inside an answer with HTTP 200, as the error that it is."""
    return replace(failure, status_code=status_code, message=f"error in a 200: {failure.message}")


def broken(reason: str, message: object = None) -> Failure:
    """An answer whose finish reason says that it was not finished."""
    return invalid(f"finish reason {reason}: {message or 'the server gave up its answer'}")


def count(value: object) -> int | None:
    """A number of tokens; None for what cannot be one. Sums and products of those stay within a float."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MOST_TOKENS else None


def first_of(items: object) -> dict[str, Any]:
    """The first object of a list; an empty one where there is none."""
    found = items[0] if isinstance(items, list) and items else None
    return found if isinstance(found, dict) else {}


def nested(data: dict[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def as_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
