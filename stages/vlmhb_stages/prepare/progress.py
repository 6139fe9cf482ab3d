"""Tells the host how far prepare is, at most once a second, and what it had to leave out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from vlmhb_stages.contracts import SampleError
from vlmhb_stages.events import EventWriter
from vlmhb_stages.prepare.failure import PrepareFailed

INTERVAL_S = 1.0
IMAGES_HINT = "is the dataset path right, and are the images beside the dataset file?"
ROWS_HINT = "do the columns or files have the names that the loader reads (docs/benchmarks.md)?"


class Progress:
    """Counts samples; `total` is set once it is known."""

    def __init__(self, events: EventWriter, *, clock: Callable[[], float]) -> None:
        self._events, self._clock = events, clock
        self._last = clock()
        self._done = 0
        self._errors: Counter[str] = Counter()
        self._first: dict[str, str] = {}  # message of the first error of a kind
        self.total = 0

    def beat(self) -> None:
        """Still reading, nothing to count yet."""
        if self._due():
            self._events.emit("heartbeat")

    def add(self, error: SampleError | None) -> None:
        self._done += 1
        if error is not None:
            self._errors[error.kind] += 1
            self._first.setdefault(error.kind, error.message)
        if self._due():
            self._emit("progress")

    def end(self) -> None:
        """Raises `PrepareFailed` when not one sample is usable: that is a wrong folder, not a bad page."""
        for kind, count in sorted(self._errors.items()):
            message = f"{count} of {self._done} samples cannot be used ({kind}); first: {self._first[kind]}"
            self._events.emit("warning", message=message)
        if self._errors.total() == self._done:
            kind, message = next(iter(self._first.items()))
            hint = IMAGES_HINT if kind == "bad_image" else ROWS_HINT
            raise PrepareFailed(f"no sample can be used; first: {message}", hint=hint)
        self._emit("progress")
        self._emit("end")

    def _emit(self, type_: str) -> None:
        error = self._errors.total()
        self._events.emit(type_, done=self._done, total=self.total, ok=self._done - error, error=error)

    def _due(self) -> bool:
        now = self._clock()
        if now - self._last < INTERVAL_S:
            return False
        self._last = now
        return True
