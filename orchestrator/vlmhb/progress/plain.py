"""Progress as plain lines, for logs, CI and pipes: few, each complete in itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from vlmhb.progress.meter import Meter, Reading, duration, money, speed, troubles
from vlmhb.progress.view import Counted

EVERY_S = 10.0


class PlainProgress:
    """One line for each change of state, and at most one every `every_s` for each evaluation in between."""

    def __init__(
        self,
        *,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        every_s: float = EVERY_S,
    ) -> None:
        self._say, self._clock, self._every_s = say, clock, every_s
        self._lock = threading.Lock()
        self._stages: dict[str, str] = {}
        self._meters: dict[str, Meter] = {}
        self._told: dict[str, float] = {}  # evaluation -> when its last line was
        self._usage: dict[str, str] = {}  # device -> what it does

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        return None

    def stage_started(self, evaluation_id: str, stage: str, reason: str) -> None:
        with self._lock:
            self._stages[evaluation_id] = stage
            self._meters[evaluation_id] = Meter()
            self._told[evaluation_id] = self._clock()
            self._say(f"{evaluation_id} {stage}: started{_in_brackets(reason)}")

    def update(self, evaluation_id: str, counted: Counted) -> None:
        with self._lock:
            now = self._clock()
            meter = self._meters.setdefault(evaluation_id, Meter())
            reading = meter.read(counted, now=now)
            if now - self._told.setdefault(evaluation_id, now) < self._every_s:
                return
            self._told[evaluation_id] = now
            line = f"{evaluation_id} {self._stages.get(evaluation_id, 'stage')}: {describe(reading)}"
            devices = "; ".join(f"{device}: {text}" for device, text in self._usage.items())
            self._say(f"{line} [{devices}]" if devices else line)

    def usage(self, device: str, text: str) -> None:
        with self._lock:
            self._usage.pop(device, None)
            if text:
                self._usage[device] = text

    def stage_ended(self, evaluation_id: str, stage: str, outcome: str, detail: str) -> None:
        with self._lock:
            self._meters.pop(evaluation_id, None)
            self._say(ended_line(evaluation_id, stage=stage, outcome=outcome, detail=detail))

    def message(self, text: str) -> None:
        with self._lock:
            self._say(text)


def describe(reading: Reading) -> str:
    """`12/24, 11 ok, 1 failed, 3.2/s, 4 s left`; what is not known is left out."""
    counted = reading.counted
    parts = [f"{counted.done}/{counted.total}" if counted.total else f"{counted.done} done"]
    if counted.error or counted.skipped:
        parts.append(f"{counted.ok} ok")
    parts += troubles(counted)
    if counted.cost is not None:
        parts.append(money(counted.cost))
    if reading.rate:
        parts.append(speed(reading.rate))
    if reading.eta_s is not None and not reading.finished:
        parts.append(f"{duration(reading.eta_s)} left")
    return ", ".join(parts)


def ended_line(evaluation_id: str, *, stage: str, outcome: str, detail: str) -> str:
    """A failure's detail is a sentence of its own; any other is an aside."""
    if outcome in ("done", "reused"):
        return f"{evaluation_id} {stage}: {outcome}{_in_brackets(detail)}"
    return f"{evaluation_id} {stage}: {outcome}" + (f": {detail}" if detail else "")


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""
