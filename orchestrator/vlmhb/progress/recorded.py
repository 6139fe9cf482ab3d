"""Progress kept in the run's `events.jsonl` as well, where `vlmhb status` and other programs read it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any

from vlmhb.progress.tail import EventTail
from vlmhb.progress.view import Counted, ProgressView

_TOLD = tuple(field.name for field in fields(Counted))


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

    def update(self, evaluation_id: str, counted: Counted) -> None:
        self._note("progress", evaluation=evaluation_id, **counted.told())
        self._shown.update(evaluation_id, counted)

    def usage(self, device: str, text: str) -> None:
        self._note("usage", device=device, text=text)
        self._shown.usage(device, text)

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
    """Where each evaluation of the last run stands: {stage, state, done, total, ok, error, ...} by its id."""
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
            found[name].update({key: event[key] for key in _TOLD if key in event})
    return found


def replay(events: Iterable[Mapping[str, Any]], *, view: ProgressView) -> None:
    """Shows recorded events as if they happened now."""
    for event in events:
        name, stage = str(event.get("evaluation", "")), str(event.get("stage", ""))
        kind = event.get("type")
        if kind == "stage_started":
            view.stage_started(name, stage, str(event.get("reason", "")))
        elif kind == "progress":
            view.update(name, Counted.of_event(event))
        elif kind == "stage_ended":
            view.stage_ended(name, stage, str(event.get("outcome", "")), str(event.get("detail", "")))
        elif kind == "usage":
            view.usage(str(event.get("device", "")), str(event.get("text", "")))
        elif kind == "message":
            view.message(str(event.get("text", "")))


def of_last_run(events: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without those of earlier starts of the same run."""
    last: list[Mapping[str, Any]] = []
    for event in events:
        if event.get("type") == "start":
            last = []
        else:
            last.append(event)
    return last
