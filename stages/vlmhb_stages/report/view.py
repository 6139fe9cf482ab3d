"""What the page shows, worked out from the report: templates only lay it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from vlmhb_stages.contracts import Sample, SliceMetrics
from vlmhb_stages.report.board import Board, Entry, HeatMap, board_of, entries_of, heat_maps
from vlmhb_stages.report.charts import histogram_chart, nice_scale, spread
from vlmhb_stages.report.collect import Collected, WorstCase
from vlmhb_stages.report.diff import Diff, compare
from vlmhb_stages.report.frontier import Tradeoff, tradeoffs
from vlmhb_stages.report.model import EvaluationReport, ReportFile
from vlmhb_stages.report.panels import Panel, panels_of

FIELD = "field"  # slices by the fields of key-information extraction
OPEN_UP_TO = 3  # evaluations whose details are unfolded from the start
QUESTION_LENGTH = 600


@dataclass(frozen=True, kw_only=True)
class WorstView:
    sample_id: str
    score: float
    question: str
    facts: tuple[str, ...]
    images: tuple[str, ...]
    diff: Diff
    raw: str | None  # the whole answer, where only a part of it was scored


@dataclass(frozen=True, kw_only=True)
class Detail:
    """One evaluation's section."""

    entry: Entry
    worst: tuple[WorstView, ...]
    histogram: Markup | None
    over: int
    upper: float
    isolation: str

    @property
    def slice_groups(self) -> tuple[tuple[str, tuple[SliceMetrics, ...]], ...]:
        """Title and slices of each table: metadata apart from fields (those of one document type among them)."""
        parts = self.entry.report.slices
        groups = (
            ("Slices", tuple(part for part in parts if not _is_of_field(part))),
            ("Fields", tuple(part for part in parts if _is_of_field(part))),
        )
        return tuple(group for group in groups if group[1])


def _is_of_field(part: SliceMetrics) -> bool:
    return part.key == FIELD or part.key.endswith(f"/{FIELD}")


@dataclass(frozen=True, kw_only=True)
class SpeedRow:
    entry: Entry
    chart: Markup | None


@dataclass(frozen=True, kw_only=True)
class Isolation:
    statement: str
    ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    report: ReportFile
    entries: tuple[Entry, ...]
    board: Board
    panels: tuple[Panel, ...]
    heat_maps: tuple[HeatMap, ...]
    speed: tuple[SpeedRow, ...]
    tradeoffs: tuple[Tradeoff, ...]
    details: tuple[Detail, ...]
    isolation: tuple[Isolation, ...]
    statuses: tuple[str, ...]
    unfolded: bool

    @property
    def failed(self) -> tuple[Entry, ...]:
        """Every evaluation that did not end well, or left samples out."""
        order = ("failed", "interrupted", "partial", "skipped")
        found = (entry for entry in self.entries if entry.report.status != "done")
        return tuple(sorted(found, key=lambda entry: order.index(entry.report.status)))

    @property
    def done(self) -> int:
        return sum(1 for item in self.report.evaluations if item.status == "done")

    @property
    def costs(self) -> tuple[Entry, ...]:
        """Evaluations of which something about money is known."""
        return tuple(
            entry
            for entry in self.entries
            if entry.report.cost.total is not None or entry.report.cost.paid is not None
        )

    @property
    def paid(self) -> float:
        return sum(entry.report.cost.paid or 0.0 for entry in self.entries)

    def entry(self, name: str) -> Entry | None:
        """The evaluation with this id."""
        return next((entry for entry in self.entries if entry.report.id == name), None)

    @property
    def planned(self) -> int:
        return sum(item.counts.planned for item in self.report.evaluations)

    @property
    def answered(self) -> int:
        return sum(item.counts.ok for item in self.report.evaluations)


def page_of(report: ReportFile, *, collected: Sequence[Collected]) -> Page:
    entries = entries_of(report.evaluations)
    return Page(
        report=report,
        entries=entries,
        board=board_of(entries),
        panels=panels_of(entries),
        heat_maps=heat_maps(entries),
        speed=_speed(entries),
        tradeoffs=tradeoffs(entries, currency=report.currency),
        details=tuple(_detail(entry, item) for entry, item in zip(entries, collected, strict=True)),
        isolation=_isolations(report.evaluations),
        statuses=tuple(Counter(item.status for item in report.evaluations)),
        unfolded=len(entries) <= OPEN_UP_TO,
    )


def isolation_statement(item: EvaluationReport) -> str:
    places = {
        "container": "Each stage ran in a container of its own",
        "venv": "Stages ran in virtual environments on the host, not in containers",
    }
    networks = {
        "none": "without network",
        "egress": "with outgoing network access for inference",
        "host": "on the host's network for inference",
    }
    place = places.get(item.isolation, f"Isolation: {item.isolation or 'not recorded'}")
    network = networks.get(item.network, f"network: {item.network or 'not recorded'}")
    missing = ", ".join(item.not_enforced)
    end = (
        f"Asked for but not enforced: {missing}."
        if missing
        else "All limits that were asked for were in force."
    )
    return f"{place}, {network}. {end}"


def _isolations(reports: Sequence[EvaluationReport]) -> tuple[Isolation, ...]:
    groups: dict[str, list[str]] = {}
    for item in reports:
        groups.setdefault(isolation_statement(item), []).append(item.id)
    return tuple(Isolation(statement=text, ids=tuple(ids)) for text, ids in groups.items())


def _speed(entries: Sequence[Entry]) -> tuple[SpeedRow, ...]:
    slowest = [e.report.performance.latency_s.p99 for e in entries if e.report.performance.latency_s]
    scale = nice_scale(slowest)
    rows = []
    for entry in entries:
        latency = entry.report.performance.latency_s
        chart = spread(latency, scale=scale) if latency else None
        rows.append(SpeedRow(entry=entry, chart=chart))
    return tuple(rows)


def _detail(entry: Entry, item: Collected) -> Detail:
    latency, marks = item.latency, entry.report.performance.latency_s
    return Detail(
        entry=entry,
        worst=tuple(_worst(case) for case in item.worst),
        histogram=histogram_chart(latency, marks=marks) if latency and marks else None,
        over=latency.over if latency else 0,
        upper=latency.upper if latency else 0.0,
        isolation=isolation_statement(entry.report),
    )


def _worst(case: WorstCase) -> WorstView:
    record, sample, prediction = case.scored.record, case.sample, case.prediction
    text = (prediction.text if prediction else None) or ""
    scored = record.extracted if record.extracted is not None else text
    questions = [message.content for message in sample.messages if message.role == "user"] if sample else []
    return WorstView(
        sample_id=record.sample_id,
        score=case.scored.score,
        question=questions[-1][:QUESTION_LENGTH] if questions else "",
        facts=_facts(sample) if sample else (),
        images=tuple(image.path for image in sample.own_images) if sample else (),
        diff=compare(record.matched_reference or "", scored),
        raw=text if prediction is not None and scored != text else None,
    )


def _facts(sample: Sample) -> tuple[str, ...]:
    version = (f"prompt: {sample.prompt_sha256[:12]}",) if sample.prompt_sha256 else ()
    return (*(f"{key}: {value}" for key, value in sample.metadata.items()), *version)
