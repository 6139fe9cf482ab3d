"""What the runner tells about its progress, whoever shows it."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol


class ProgressView(Protocol):
    """Safe to call from several threads. Samples are counted; `total` 0 = not known yet."""

    def __enter__(self) -> ProgressView: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def stage_started(self, evaluation_id: str, stage: str, reason: str) -> None:
        """`reason` says why it runs at all."""

    def update(
        self, evaluation_id: str, *, done: int, total: int, ok: int, error: int, rate: float | None
    ) -> None:
        """`rate` in samples per second; None: worked out from the updates."""

    def stage_ended(self, evaluation_id: str, stage: str, outcome: str, detail: str) -> None:
        """`outcome` is one word: done, reused, failed, interrupted."""

    def message(self, text: str) -> None:
        """Something worth a line of its own."""
