"""Progress as live bars on a terminal: what runs now below, what has ended as lines above."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.text import Text

from vlmhb.console import Console, printable
from vlmhb.progress.meter import Meter, duration, money, speed, troubles
from vlmhb.progress.plain import ended_line
from vlmhb.progress.view import Counted

MARKS = {"done": "✓", "reused": "↺", "partial": "!", "failed": "✗", "interrupted": "■"}
STYLES = {
    "done": "green",
    "reused": "dim",
    "partial": "yellow",
    "failed": "bold red",
    "interrupted": "yellow",
}


class RichProgress:
    """Only running stages have a bar, so the display stays small however many evaluations there are."""

    def __init__(self, *, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}
        self._devices: dict[str, TaskID] = {}
        self._meters: dict[str, Meter] = {}
        self._console = console.rich()
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[stage]}", style="dim", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}", justify="right", markup=False),
            TextColumn("{task.fields[errors]}", style="red", markup=False),
            TextColumn("{task.fields[pace]}", style="dim", markup=False),
            console=self._console,
            transient=True,
        )

    def __enter__(self) -> RichProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._bars.stop()

    def stage_started(self, evaluation_id: str, stage: str, reason: str) -> None:
        with self._lock:
            self._drop(evaluation_id)
            self._meters[evaluation_id] = Meter()
            self._tasks[evaluation_id] = self._bars.add_task(
                printable(evaluation_id), total=None, stage=stage, count="", errors="", pace=printable(reason)
            )

    def update(self, evaluation_id: str, counted: Counted) -> None:
        with self._lock:
            task = self._tasks.get(evaluation_id)
            if task is None:
                return
            reading = self._meters[evaluation_id].read(counted, now=self._clock())
            pace = [speed(reading.rate)] if reading.rate else []
            if reading.eta_s is not None and not reading.finished:
                pace.append(f"{duration(reading.eta_s)} left")
            if counted.cost is not None:
                pace.append(money(counted.cost))
            self._bars.update(
                task,
                completed=counted.done,
                total=counted.total or None,
                count=f"{counted.done}/{counted.total}" if counted.total else str(counted.done),
                errors=" ".join(troubles(counted)),
                pace=" · ".join(pace),
            )

    def usage(self, device: str, text: str) -> None:
        """One line without a bar for each device."""
        with self._lock:
            task = self._devices.pop(device, None)
            if task is not None and text:
                self._bars.update(task, pace=printable(text))
                self._devices[device] = task
            elif task is not None:
                self._bars.remove_task(task)
            elif text:
                self._devices[device] = self._bars.add_task(
                    printable(device),
                    total=1,
                    completed=1,
                    stage="",
                    count="",
                    errors="",
                    pace=printable(text),
                )

    def stage_ended(self, evaluation_id: str, stage: str, outcome: str, detail: str) -> None:
        with self._lock:
            self._drop(evaluation_id)
            line = printable(ended_line(evaluation_id, stage=stage, outcome=outcome, detail=detail))
            style = STYLES.get(outcome, "")
            self._print(Text.assemble((MARKS.get(outcome, "·"), style), " ", line))

    def message(self, text: str) -> None:
        with self._lock:
            self._print(Text(f"· {printable(text)}", style="dim"))

    def _print(self, line: Text) -> None:
        self._bars.refresh()  # the bars are drawn again below the line: as they are now, not as they were
        self._console.print(line)

    def _drop(self, evaluation_id: str) -> None:
        task = self._tasks.pop(evaluation_id, None)
        if task is not None:
            self._bars.remove_task(task)
        self._meters.pop(evaluation_id, None)
