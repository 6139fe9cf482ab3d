"""Runs the report stage: read every evaluation, write the four files."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from vlmhb_stages import paths
from vlmhb_stages.events import EventWriter
from vlmhb_stages.report.advice import advice, withheld
from vlmhb_stages.report.collect import Collected, collect
from vlmhb_stages.report.comparisons import comparisons
from vlmhb_stages.report.model import BudgetState, ReportFile
from vlmhb_stages.report.render import render_html, render_markdown
from vlmhb_stages.report.summary import render_csv
from vlmhb_stages.specs import ReportSpec


def run(
    spec: ReportSpec,
    *,
    events: EventWriter,
    resolve: Callable[[str], Path] = paths.resolve,
    clock: Callable[[], float] = time.time,
) -> int:
    """Always 0: an evaluation that failed is content of the report, not a failure of it."""
    collected: list[Collected] = []
    total = len(spec.evaluations)
    for done, evaluation in enumerate(spec.evaluations, start=1):
        collected.append(collect(evaluation, resolve=resolve))
        events.emit("progress", done=done, total=total, ok=done, error=0)
    collected = told_apart(collected)
    created = datetime.fromtimestamp(clock(), tz=timezone.utc).isoformat(timespec="seconds")
    found = comparisons(collected, beat=lambda: events.emit("heartbeat"))
    report = ReportFile(
        run_id=spec.run_id,
        title=spec.title,
        created=created,
        evaluations=tuple(item.report for item in collected),
        comparisons=found,
        currency=spec.currency,
        budgets=tuple(BudgetState(scope=name, **state) for name, state in sorted(spec.budgets.items())),
        advice=advice([item.report for item in collected], comparisons=found),
        no_advice=withheld([item.report for item in collected]),
    )
    out = resolve(paths.OUT)
    _write(out / "report.json", report.model_dump_json(indent=2) + "\n")
    _write(out / "summary.csv", render_csv(report))
    _write(out / "report.md", render_markdown(report))
    _write(out / "report.html", render_html(report, collected=collected))
    events.emit("end", evaluations=total)
    return 0


def told_apart(collected: Sequence[Collected]) -> list[Collected]:
    """Benchmarks of one name but of different tasks are different ones: the task goes into their names."""
    tasks: dict[str, set[str]] = {}
    for item in collected:
        tasks.setdefault(item.report.benchmark, set()).add(item.report.task_type)
    return [_renamed(item) if len(tasks[item.report.benchmark]) > 1 else item for item in collected]


def _renamed(item: Collected) -> Collected:
    name = f"{item.report.benchmark} ({item.report.task_type})"
    return replace(item, report=item.report.model_copy(update={"benchmark": name}))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
