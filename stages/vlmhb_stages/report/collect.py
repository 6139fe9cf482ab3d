"""One evaluation's sealed artifacts, read into what the report says about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vlmhb_stages.contracts import Counts, InferSummary, MetricsFile, MetricValue, Prediction, Sample, Score
from vlmhb_stages.report.costs import CostTally
from vlmhb_stages.report.model import EvaluationInfo, EvaluationReport, EvaluationStatus, WorstSample
from vlmhb_stages.report.performance import Histogram, active_seconds, histogram, performance
from vlmhb_stages.report.prompts import prompt_versions
from vlmhb_stages.report.read import Reader
from vlmhb_stages.report.tally import Tally
from vlmhb_stages.report.timings import Timings
from vlmhb_stages.report.worst import Scored, WorstScores
from vlmhb_stages.specs import ReportEvaluation

PROVENANCE = (
    "image", "image_digest", "weights_sha256", "dataset_sha256", "kit_sha256", "host", "gpus", "seed",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class WorstCase:
    """Everything that helps to see why a sample went wrong; None where that is not known."""

    scored: Scored
    prediction: Prediction | None
    sample: Sample | None


@dataclass(frozen=True, kw_only=True)
class Collected:
    """`report` goes into report.json; the rest is for the eye."""

    report: EvaluationReport
    worst: tuple[WorstCase, ...] = ()
    latency: Histogram | None = None
    evaluate: Path | None = None  # the folder of its scores


@dataclass(frozen=True, kw_only=True)
class _Folders:
    inputs: Path | None
    infer: Path | None
    evaluate: Path | None

    def file(self, name: str) -> Path | None:
        folder = {
            "samples.jsonl": self.inputs,
            "metrics.json": self.evaluate,
            "scores.jsonl": self.evaluate,
        }.get(name, self.infer)
        return folder / name if folder is not None else None


@dataclass(kw_only=True)
class _Planned:
    """The planned samples: how many, and those asked for. `costs` None: nothing has a price."""

    wanted: frozenset[str]
    count: int = 0
    kept: dict[str, Sample] = field(default_factory=dict)
    costs: CostTally | None = None

    def add(self, sample: Sample) -> None:
        self.count += 1
        if self.costs is not None:
            self.costs.expect(sample)
        if sample.sample_id in self.wanted:
            self.kept[sample.sample_id] = sample


def collect(evaluation: ReportEvaluation, *, resolve: Callable[[str], Path]) -> Collected:
    reader = Reader()
    info = EvaluationInfo.model_validate(evaluation.info)
    folders = _folders(evaluation, resolve)
    summary = reader.whole(folders.file("summary.json"), InferSummary)
    metrics = reader.whole(folders.file("metrics.json"), MetricsFile)
    primary = _primary(info, metrics)
    worst = _worst_scores(folders, reader=reader, primary=primary)
    wanted = frozenset(scored.record.sample_id for scored in worst)
    planned, tally = _Planned(wanted=wanted), Tally(wanted=wanted, timings=Timings(slo=info.slo))
    planned.costs = tally.costs if info.currency is not None else None
    reader.each(folders.file("samples.jsonl"), Sample, keep=planned.add)
    reader.final_predictions(folders.file("predictions.jsonl"), keep=tally.add)
    counts = _counts(metrics, summary=summary, tally=tally, planned=planned.count)
    _check(counts, tally=tally, folders=folders, reader=reader)
    active_s = active_seconds(folders.file("attempts.jsonl"), reader=reader, summary=summary)
    report = EvaluationReport(
        id=evaluation.id,
        **_identity(info),
        status=_status(info, folders),
        failure=info.failure,
        counts=counts,
        coverage=_coverage(metrics, counts),
        primary=primary.name if primary else info.primary,
        profile=metrics.profile if metrics else None,
        metrics=metrics.metrics if metrics else (),
        slices=metrics.slices if metrics else (),
        extraction=metrics.extraction if metrics else None,
        performance=performance(tally.timings, active_s=active_s, summary=summary, info=info),
        cost=tally.costs.cost(info, measured=tally.timings.measured),
        reliability=tally.reliability.found(folders.file("attempts.jsonl")),
        resources=info.resources,
        provenance={
            **dict.fromkeys(PROVENANCE),
            **info.provenance,
            "prompts": prompt_versions(folders.inputs, reader=reader),
        },
        failures=tally.failures(planned=counts.planned if folders.infer else 0),
        worst=tuple(WorstSample(sample_id=item.record.sample_id, score=item.score) for item in worst),
        # The host tells a stage's warnings as well: each is said once.
        warnings=tuple(
            dict.fromkeys(
                (
                    *info.warnings,
                    *(metrics.warnings if metrics else ()),
                    *reader.warnings,
                    *tally.timings.warnings,
                )
            )
        ),
        tags=info.tags,
    )
    cases = tuple(_case(scored, tally=tally, planned=planned) for scored in worst)
    return Collected(
        report=report, worst=cases, latency=histogram(tally.timings.latency), evaluate=folders.evaluate
    )


def _folders(evaluation: ReportEvaluation, resolve: Callable[[str], Path]) -> _Folders:
    def folder(path: str | None) -> Path | None:
        return resolve(path) if path is not None else None

    return _Folders(
        inputs=folder(evaluation.inputs), infer=folder(evaluation.infer), evaluate=folder(evaluation.evaluate)
    )


def _identity(info: EvaluationInfo) -> dict[str, object]:
    names = {
        "model", "framework", "benchmark", "task_type", "engine", "scheduler", "isolation", "network", "not_enforced",
    }  # fmt: skip
    return info.model_dump(include=names)


def _primary(info: EvaluationInfo, metrics: MetricsFile | None) -> MetricValue | None:
    """The named metric, in whatever case; the first one where none is named."""
    if metrics is None or not metrics.metrics:
        return None
    by_name = {metric.name.casefold(): metric for metric in metrics.metrics}
    names = [name.casefold() for name in (info.primary, metrics.primary) if name is not None]
    return next((by_name[name] for name in names if name in by_name), metrics.metrics[0])


def _worst_scores(folders: _Folders, *, reader: Reader, primary: MetricValue | None) -> tuple[Scored, ...]:
    if primary is None:
        return ()
    worst = WorstScores(primary)
    reader.each(folders.file("scores.jsonl"), Score, keep=worst.add)
    return worst.found()


def _counts(
    metrics: MetricsFile | None, *, summary: InferSummary | None, tally: Tally, planned: int
) -> Counts:
    """What the last stage that ended says; own counts where none did."""
    if metrics is not None:
        return metrics.counts
    if summary is not None:
        return summary.counts
    return tally.counts(planned=planned)


def _check(counts: Counts, *, tally: Tally, folders: _Folders, reader: Reader) -> None:
    if folders.infer is not None and tally.ok != counts.ok:
        reader.warnings.append(
            f"predictions.jsonl has {tally.ok} answered samples, the stages counted {counts.ok}"
        )


def _coverage(metrics: MetricsFile | None, counts: Counts) -> float | None:
    if counts.planned == 0:
        return None
    return metrics.coverage if metrics else round(counts.ok / counts.planned, 6)


def _status(info: EvaluationInfo, folders: _Folders) -> EvaluationStatus:
    if info.status is not None:
        return info.status
    if info.failure is not None:
        return "failed"
    return "done" if folders.infer is not None else "skipped"


def _case(scored: Scored, *, tally: Tally, planned: _Planned) -> WorstCase:
    name = scored.record.sample_id
    return WorstCase(scored=scored, prediction=tally.kept.get(name), sample=planned.kept.get(name))
