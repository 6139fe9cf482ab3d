"""`summary.csv`: one row for each evaluation, for a spreadsheet or pandas."""

from __future__ import annotations

import csv
import io

from vlmhb_stages.report.model import EvaluationReport, ReportFile

_FORMULA = ("=", "+", "-", "@")
Cell = str | int | float | None


def render_csv(report: ReportFile) -> str:
    """Metric columns are the union over all evaluations, in order of first appearance. Unknown = empty."""
    names = list(dict.fromkeys(metric.name for item in report.evaluations for metric in item.metrics))
    rows = [_row(item, names) for item in report.evaluations]
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=_columns(names), lineterminator="\n")
    writer.writerow({name: _text(name) for name in writer.fieldnames})
    writer.writerows({name: _text(cell) for name, cell in row.items()} for row in rows)
    return out.getvalue()


def _text(cell: Cell) -> Cell:
    """A text that a spreadsheet would take for a formula gets the mark of a text; numbers stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and cell.lstrip().startswith(_FORMULA) else cell


def _columns(names: list[str]) -> list[str]:
    metrics = [f"{name}{part}" for name in names for part in ("", "_answered", "_ci_low", "_ci_high")]
    return [
        "id", "model", "benchmark", "status", "planned", "ok", "error", "skipped", "coverage", *metrics,
        "latency_p50_s", "latency_p95_s", "requests_per_s", "cost", "paid", "cost_per_sample", "currency",
    ]  # fmt: skip


def _row(item: EvaluationReport, names: list[str]) -> dict[str, Cell]:
    row: dict[str, Cell] = {
        "id": item.id,
        "model": item.model,
        "benchmark": item.benchmark,
        "status": item.status,
        **item.counts.model_dump(),
        "coverage": item.coverage,
        "requests_per_s": item.performance.requests_per_s,
        "cost": item.cost.total,
        "paid": item.cost.paid,
        "cost_per_sample": item.cost.per_sample,
        "currency": item.cost.currency,
    }
    latency = item.performance.latency_s
    if latency is not None:
        row.update({"latency_p50_s": latency.p50, "latency_p95_s": latency.p95})
    for name in names:
        metric = item.metric(name)
        if metric is not None:
            row[name] = metric.value
            row[f"{name}_answered"] = metric.value_answered
            row[f"{name}_ci_low"], row[f"{name}_ci_high"] = metric.ci_low, metric.ci_high
    return row
