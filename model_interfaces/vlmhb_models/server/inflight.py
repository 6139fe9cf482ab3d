"""Counts the requests being answered, so that a stop can wait for them and refuse new ones."""

from __future__ import annotations

import threading


class InFlight:
    """A counter used as a context manager around each request."""

    def __init__(self) -> None:
        self.closed = False
        self.failure_told = threading.Event()  # somebody has read the load failure on /health
        self._count = 0
        self._idle = threading.Condition()

    def __enter__(self) -> None:
        with self._idle:
            self._count += 1

    def __exit__(self, *exc_info: object) -> None:
        with self._idle:
            self._count -= 1
            self._idle.notify_all()

    def close(self) -> None:
        """From now on new requests are refused."""
        self.closed = True

    def wait_idle(self, *, timeout_s: float) -> bool:
        """Whether all requests have ended within the time."""
        with self._idle:
            return self._idle.wait_for(lambda: self._count == 0, timeout=timeout_s)
