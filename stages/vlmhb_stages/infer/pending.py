"""What the driver and its sources of answers agree on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from vlmhb_stages.contracts import ErrorKind, Prediction, Sample, SampleError

Answering = Callable[[], Coroutine[Any, Any, Prediction]]


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A sample without a record that could be kept."""

    sample: Sample
    request_hash: str


class Answerer(Protocol):
    """Where answers come from."""

    @property
    def requests(self) -> int:
        """How many were sent so far."""

    async def prepare(self, pending: Pending) -> Answering:
        """Does what can be done ahead (images) for one sample at a time; the result is run beside others."""

    async def describe(self) -> dict[str, Any]:
        """What the server says of itself."""


def failed(pending: Pending, *, kind: ErrorKind, message: str) -> Prediction:
    """The record of a sample that no request was sent for."""
    return Prediction(
        sample_id=pending.sample.sample_id,
        request_hash=pending.request_hash,
        status="error",
        attempts=0,
        prompt_sha256=pending.sample.prompt_sha256,
        error=SampleError(kind=kind, message=message),
    )


async def at_once(prediction: Prediction) -> Prediction:
    """An answer that is already there."""
    return prediction
