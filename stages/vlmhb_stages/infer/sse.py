"""Splits a byte stream of server-sent events into their `data` payloads."""

from __future__ import annotations

from codecs import BOM_UTF8


class EventSplitter:
    """Feed it bytes as they come. Chat protocols put one JSON object on one `data:` line, so each line is a payload.

    A line ends with CR, LF or both; CR stands nowhere else in JSON. A byte order mark may come first."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # of a line whose end has not come
        self._is_first = True

    def feed(self, block: bytes) -> list[str]:
        """The payloads that this block completes; a line without its end waits for the next block."""
        block = block.replace(b"\r", b"\n")
        self._rest.append(block)
        if b"\n" not in block:
            return []
        *lines, rest = b"".join(self._rest).split(b"\n")
        self._rest = [rest]
        if self._is_first:
            self._is_first = False
            lines[0] = lines[0].removeprefix(BOM_UTF8)
        return [
            line.removeprefix(b"data:").strip().decode("utf-8", "replace")
            for line in lines
            if line.startswith(b"data:")
        ]
