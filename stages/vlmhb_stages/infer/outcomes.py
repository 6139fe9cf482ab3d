"""What one request can come to: an answer or a failure, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vlmhb_stages.contracts import ErrorKind, Record, SampleError, Status


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The model's own words, or its refusal (`text` is None then). Times in seconds."""

    status: Literal["ok", "truncated", "refused"]
    text: str | None
    finish_reason: str | None
    input_tokens: int | None
    output_tokens: int | None
    latency_s: float
    ttft_s: float | None  # None when the answer was not streamed
    refusal: str | None = None
    image_tokens: int | None = None  # part of input_tokens, where the server tells
    cached_tokens: int | None = None  # likewise
    tokens_from: Literal["usage", "tokenizer"] | None = None  # who counted
    itl: dict[str, int] | None = None  # gaps between output tokens, as a `Sketch`
    adjusted: tuple[str, ...] = ()  # what this server was asked differently from what was wanted

    @property
    def tpot_s(self) -> float | None:
        """Time per output token after the first: (latency - TTFT) / (tokens - 1)."""
        if self.ttft_s is None or self.output_tokens is None or self.output_tokens < 2:
            return None
        return (self.latency_s - self.ttft_s) / (self.output_tokens - 1)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why there is no answer. `server` says what it tells about the server: fine, gone, or hung on this
    request."""

    kind: ErrorKind
    message: str
    retryable: bool
    status_code: int | None = None
    retry_after_s: float | None = None
    server: Literal["fine", "gone", "hung"] = "fine"
    sent: bool = True  # False: nothing of it can have reached a server, so nothing is charged
    begun: bool = False  # a part of an answer came before it, and may be charged

    @property
    def is_suspect(self) -> bool:
        """The request may itself be what broke the server (it said nothing, not even a status), or what took its
        memory: it is asked again with no other one beside it."""
        return self.kind == "out_of_memory" or (self.server != "fine" and self.status_code is None)

    @property
    def is_push_back(self) -> bool:
        """The server has more to do than it wants: 429, 503, and 529 of some."""
        return self.kind == "rate_limited" or self.status_code in (503, 529)

    @property
    def status(self) -> Status:
        if self.kind == "context_overflow":
            return "context_overflow"
        return "refused" if self.kind == "content_filter" else "error"


Outcome = Answer | Failure


class Attempt(Record):
    """One line of `attempts.jsonl`: one request that was sent. `started` in seconds since the epoch."""

    sample_id: str
    attempt: int  # 1 = first request of this start of the stage
    started: float
    latency_s: float
    outcome: Status
    status_code: int | None = None
    error: SampleError | None = None
    server: str | None = None
    queue_s: float | None = (
        None  # from the end of the attempt before, or from being ready, to this one's start
    )
    ttft_s: float | None = None
    cost: float | None = None
    adjusted: tuple[str, ...] = ()
