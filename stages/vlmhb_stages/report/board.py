"""The headline tables: which model does how well on which benchmark, and where the slices differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vlmhb_stages.contracts import MetricValue
from vlmhb_stages.report.model import EvaluationReport
from vlmhb_stages.report.worst import full_marks

WIDE = 7  # benchmarks that fit side by side
MAX_SLICES = 40  # rows of one heat map; the JSON has all


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One evaluation as it appears in a table. `anchor` is its place in the page."""

    anchor: str
    report: EvaluationReport
    best: bool = False

    @property
    def search(self) -> str:
        """What the filter looks in, in lower case."""
        item = self.report
        parts = (item.id, item.model, item.framework or "", item.benchmark, item.task_type, *item.tags)
        return " ".join(parts).lower()

    @property
    def metric(self) -> MetricValue | None:
        return self.report.headline

    @property
    def value(self) -> float | None:
        return self.metric.value if self.metric else None


@dataclass(frozen=True, kw_only=True)
class Column:
    """A benchmark and the primary metric that its evaluations share (None where they differ or have none)."""

    benchmark: str
    metric: MetricValue | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model; `cells` are in the order of the columns, each with any number of evaluations."""

    model: str
    cells: tuple[tuple[Entry, ...], ...]
    number: int = 0  # in the order of the config


@dataclass(frozen=True, kw_only=True)
class Board:
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def tall(self) -> bool:
        """Many benchmarks and few models read better with a line for each benchmark."""
        return len(self.columns) > max(WIDE, len(self.rows))

    def search_of(self, *, model: str | None = None, benchmark: str | None = None) -> str:
        """The search texts of all evaluations of a model or of a benchmark."""
        found = (entry for row in self.rows for cell in row.cells for entry in cell)
        return " ".join(e.search for e in found if model == e.report.model or benchmark == e.report.benchmark)


@dataclass(frozen=True, kw_only=True)
class HeatRow:
    """A slice; `cells` are in the order of the entries. `tint` 0..1: 1 is best."""

    key: str
    value: str
    n: int
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True, kw_only=True)
class HeatCell:
    metric: MetricValue | None
    tint: float = 0.0


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    benchmark: str
    metric: MetricValue
    entries: tuple[Entry, ...]
    rows: tuple[HeatRow, ...]
    left_out: int

    @property
    def tall(self) -> bool:
        """Many models and few slices read better with a line for each model."""
        return len(self.entries) > len(self.rows)


def entries_of(reports: Sequence[EvaluationReport]) -> tuple[Entry, ...]:
    """In the order of the run config; the best of each benchmark is marked where there is a contest."""
    best = {
        id(winner) for group in _grouped(reports).values() for winner in _winners(group)
    }  # identity: two evaluations may be equal
    return tuple(
        Entry(anchor=f"e{number}", report=report, best=id(report) in best)
        for number, report in enumerate(reports, start=1)
    )


def board_of(entries: Sequence[Entry]) -> Board:
    """Models by their mean rank over the benchmarks, best first; equal ones in the order of the config."""
    benchmarks = list(dict.fromkeys(entry.report.benchmark for entry in entries))
    models = list(dict.fromkeys(entry.report.model for entry in entries))
    columns = tuple(
        Column(benchmark=name, metric=_shared_metric(e for e in entries if e.report.benchmark == name))
        for name in benchmarks
    )
    rows = tuple(
        Row(
            model=model,
            cells=tuple(_cell(entries, model=model, benchmark=name) for name in benchmarks),
            number=number,
        )
        for number, model in enumerate(models, start=1)
    )
    ranks = mean_ranks(rows)
    return Board(columns=columns, rows=tuple(sorted(rows, key=lambda row: ranks[row.model])))


def mean_ranks(rows: Sequence[Row]) -> dict[str, float]:
    """By model, 1 is best; a benchmark without a value of it counts as the last place there."""
    places: dict[str, list[float]] = {row.model: [] for row in rows}
    for column in range(len(rows[0].cells) if rows else 0):
        values = {row.model: _best_of(row.cells[column]) for row in rows}
        for model, value in values.items():
            better = sum(1 for other in values.values() if other > value)
            places[model].append(1.0 + better if value > float("-inf") else float(len(rows)))
    return {model: sum(found) / len(found) if found else 0.0 for model, found in places.items()}


def _best_of(cell: Sequence[Entry]) -> float:
    """The best value in a cell, larger being better."""
    known = [(entry.metric, entry.value) for entry in cell]
    signed = (
        -value if metric.direction == "lower" else value
        for metric, value in known
        if metric is not None and value is not None
    )
    return max(signed, default=float("-inf"))


def heat_maps(entries: Sequence[Entry]) -> tuple[HeatMap, ...]:
    """One for each benchmark whose evaluations have slices of one common primary metric."""
    found = []
    for benchmark in dict.fromkeys(entry.report.benchmark for entry in entries):
        group = tuple(e for e in entries if e.report.benchmark == benchmark and e.report.slices)
        metric = _shared_metric(group)
        if metric is not None:
            found.append(_heat_map(group, benchmark=benchmark, metric=metric))
    return tuple(found)


def _grouped(reports: Sequence[EvaluationReport]) -> dict[tuple[str, str, str], list[EvaluationReport]]:
    """By benchmark, metric and its version: `cer` of profile upstream-0.1 is another number than ours."""
    groups: dict[tuple[str, str, str], list[EvaluationReport]] = {}
    for report in reports:
        metric = report.headline
        if metric is not None and metric.value is not None:
            groups.setdefault((report.benchmark, metric.name, metric.version), []).append(report)
    return groups


def _winners(group: list[EvaluationReport]) -> list[EvaluationReport]:
    if len(group) < 2:
        return []
    values = [(report, report.headline.value) for report in group if report.headline is not None]
    known = [(report, value) for report, value in values if value is not None]
    lower = group[0].headline is not None and group[0].headline.direction == "lower"
    if len({value for _, value in known}) == 1:
        return []  # nobody is better than anybody
    top = (min if lower else max)(value for _, value in known)
    return [report for report, value in known if value == top]


def _cell(entries: Sequence[Entry], *, model: str, benchmark: str) -> tuple[Entry, ...]:
    return tuple(e for e in entries if (e.report.model, e.report.benchmark) == (model, benchmark))


def _shared_metric(entries: Iterable[Entry]) -> MetricValue | None:
    metrics = [entry.metric for entry in entries if entry.metric is not None]
    return metrics[0] if metrics and len({metric.name for metric in metrics}) == 1 else None


def _heat_map(entries: tuple[Entry, ...], *, benchmark: str, metric: MetricValue) -> HeatMap:
    table: dict[tuple[str, str], dict[str, MetricValue]] = {}
    for entry in entries:
        for part in entry.report.slices:
            for value in part.metrics:
                if value.name == metric.name:
                    table.setdefault((part.key, part.value), {})[entry.anchor] = value
    sizes = {name: max(value.n for value in cells.values()) for name, cells in table.items()}
    shown = sorted(sorted(table, key=lambda name: -sizes[name])[:MAX_SLICES])
    known = [cell.value for cells in table.values() for cell in cells.values() if cell.value is not None]
    worst = max(known, default=0.0) if metric.direction == "lower" else 0.0
    rows = tuple(
        HeatRow(
            key=name[0],
            value=name[1],
            n=sizes[name],
            cells=tuple(
                _heat_cell(table[name].get(entry.anchor), best=full_marks(metric), worst=worst)
                for entry in entries
            ),
        )
        for name in shown
    )
    return HeatMap(
        benchmark=benchmark, metric=metric, entries=entries, rows=rows, left_out=len(table) - len(shown)
    )


def _heat_cell(metric: MetricValue | None, *, best: float, worst: float) -> HeatCell:
    if metric is None or metric.value is None or best == worst:
        return HeatCell(metric=metric)
    tint = (metric.value - worst) / (best - worst)
    return HeatCell(metric=metric, tint=round(min(max(tint, 0.0), 1.0), 3))
