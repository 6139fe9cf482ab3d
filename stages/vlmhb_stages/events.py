"""Progress, heartbeats and warnings of a stage: appended to `out/events.jsonl`, tailed by the host.

Event types: `start` {stage, total?} · `progress` {done, total, ok, error} and of an inference {skipped, cost, retries,
in_flight} (`cost` null without prices) · `heartbeat` · `warning` {message} · `budget` {spent, reserved, need} (the
driver asks for money: see `specs.Budget`) · `restart_server` {server, reason} (it asks for a fresh model server) ·
`fatal` {code, message, hint?} · `end` {…counts}. Every event has `t`, seconds since the epoch.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

QUIET_S = 5.0


class EventWriter:
    """Appends one JSON object a line and flushes it, so that a kill loses nothing already said."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._clock = clock
        self._last = clock()

    @property
    def is_quiet(self) -> bool:
        """Nothing has been said for a while: time for a sign of life, however slow the work is."""
        return self._clock() - self._last >= QUIET_S

    def emit(self, type_: str, **fields: Any) -> None:
        self._last = self._clock()
        event = {"t": round(self._last, 3), "type": type_, **fields}
        self._file.write(json.dumps(event, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()
