"""Splits a byte stream of server-sent events into their `data` payloads."""

from __future__ import annotations


class EventSplitter:
    """Feed it bytes as they come. Chat protocols put one JSON object on one `data:` line, so each line is a
    payload."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, block: bytes) -> list[str]:
        """The payloads that this block completes; a line without its end waits for the next block."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        return [
            line.removeprefix(b"data:").strip().decode("utf-8", "replace")
            for line in lines
            if line.startswith(b"data:")
        ]
