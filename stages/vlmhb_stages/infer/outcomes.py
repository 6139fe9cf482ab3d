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

    @property
    def is_suspect(self) -> bool:
        """The request may itself be what broke the server (it said nothing, not even a status)."""
        return self.server != "fine" and self.status_code is None

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
