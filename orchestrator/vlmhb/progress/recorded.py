"""Progress kept in the run's `events.jsonl` as well, where `vlmhb status` and other programs read it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from vlmhb.progress.tail import EventTail
from vlmhb.progress.view import ProgressView


class RecordedProgress:
    """Passes everything on to `shown`. Events are news, never a result: a full disk loses them and nothing else."""

    def __init__(
        self, shown: ProgressView, *, path: Path, clock: Callable[[], float] = time.time, **start: Any
    ) -> None:
        """`start`: what the first event tells, by which a later run's events are told apart."""
        self._shown, self._path, self._clock = shown, path, clock
        self._lock = threading.Lock()
        self._note("start", **start)

    def __enter__(self) -> RecordedProgress:
        self._shown.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._shown.__exit__(kind, error, trace)

    def stage_started(self, evaluation_id: str, stage: str, reason: str) -> None:
        self._note("stage_started", evaluation=evaluation_id, stage=stage, reason=reason)
        self._shown.stage_started(evaluation_id, stage, reason)

    def update(
        self, evaluation_id: str, *, done: int, total: int, ok: int, error: int, rate: float | None
    ) -> None:
        self._note("progress", evaluation=evaluation_id, done=done, total=total, ok=ok, error=error)
        self._shown.update(evaluation_id, done=done, total=total, ok=ok, error=error, rate=rate)

    def stage_ended(self, evaluation_id: str, stage: str, outcome: str, detail: str) -> None:
        self._note("stage_ended", evaluation=evaluation_id, stage=stage, outcome=outcome, detail=detail)
        self._shown.stage_ended(evaluation_id, stage, outcome, detail)

    def message(self, text: str) -> None:
        self._note("message", text=text)
        self._shown.message(text)

    def _note(self, type_: str, **fields: Any) -> None:
        line = json.dumps({"t": round(self._clock(), 3), "type": type_, **fields}, ensure_ascii=False) + "\n"
        with self._lock, suppress(OSError), self._path.open("ab") as file:
            file.write(line.encode())


def latest(path: Path) -> dict[str, dict[str, Any]]:
    """Where each evaluation of the last run stands: {stage, state, done, total, ok, error} by its id."""
    found: dict[str, dict[str, Any]] = {}
    for event in EventTail(path).read():
        if event.get("type") == "start":
            found = {}
        name = event.get("evaluation")
        if not isinstance(name, str):
            continue
        if event["type"] == "stage_started":
            found[name] = {"stage": event.get("stage"), "state": "running"}
        elif event["type"] == "stage_ended":
            found[name] = {
                **found.get(name, {}),
                "stage": event.get("stage"),
                "state": event.get("outcome"),
            }
        elif event["type"] == "progress" and name in found:
            found[name].update({key: event.get(key) for key in ("done", "total", "ok", "error")})
    return found
