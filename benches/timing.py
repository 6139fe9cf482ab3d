"""Times whole processes, baseline and candidate in turn, so that a noisy machine disturbs both alike."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """Seconds over `runs` runs; `ratio` is the median over the baseline's median (None for the baseline)."""

    name: str
    minimum: float
    median: float
    maximum: float
    runs: int
    ratio: float | None = None
    note: str = ""


def run(argv: Sequence[str]) -> None:
    subprocess.run(list(argv), check=True, capture_output=True)


def compare(candidates: dict[str, Callable[[], object]], *, runs: int) -> list[Row]:
    """The first candidate is the baseline; all are run in turn, `runs` times."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(runs):
        for name, work in candidates.items():
            started = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - started)
    base = statistics.median(times[next(iter(candidates))])
    return [
        Row(
            name=name,
            minimum=min(seen),
            median=statistics.median(seen),
            maximum=max(seen),
            runs=runs,
            ratio=None if number == 0 else statistics.median(seen) / base,
        )
        for number, (name, seen) in enumerate(times.items())
    ]


def table(rows: Sequence[Row]) -> str:
    lines = [
        "| what | min s | median s | max s | runs | × baseline | note |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratio = "baseline" if row.ratio is None else f"{row.ratio:.2f}"
        times = f"{row.minimum:.3f} | {row.median:.3f} | {row.maximum:.3f}"
        lines.append(f"| {row.name} | {times} | {row.runs} | {ratio} | {row.note} |")
    return "\n".join(lines)
