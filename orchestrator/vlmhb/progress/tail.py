"""Follows a stage's `events.jsonl` while it grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vlmhb.store.files import open_plain


class EventTail:
    """New complete lines since the last `read`. A missing file has none, a torn last line waits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[dict[str, Any]]:
        """Lines that are no JSON object are left out: an event is news, never a result."""
        try:
            with open_plain(self._path) as file:
                if file.seek(0, 2) < self._offset:  # a new attempt began the file anew
                    self._offset = 0
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            self._offset = 0
            return []
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        events = (_parse(line) for line in complete.splitlines())
        return [event for event in events if event is not None]


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None
