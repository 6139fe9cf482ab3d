"""Reads the scores that a metric backend has made in a container of its own, and merges them by sample id."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmhb_benchmarks.metrics import MetricInfo, SampleScore
from vlmhb_benchmarks.metrics.base import ratio, undefined
from vlmhb_benchmarks.metrics.batch import ScoreColumns, pack

from vlmhb_stages.contracts import BackendScore
from vlmhb_stages.evaluate.cases import Case
from vlmhb_stages.evaluate.faults import EvaluateError, some
from vlmhb_stages.evaluate.records import Beat, Planned, RecordIndex
from vlmhb_stages.specs import MetricBackend

SCORES, INFOS = "scores.jsonl", "infos.json"
WIDTH = 2  # parts of a backend's metric: numerator, denominator


@dataclass(frozen=True, kw_only=True)
class BackendMetric:
    """The label and the aggregate of a metric whose scores come from elsewhere."""

    info: MetricInfo

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        raise NotImplementedError(f"{self.info.name} is scored by its backend")

    def missing(self, references: Sequence[str]) -> SampleScore:
        raise NotImplementedError(f"{self.info.name} is scored by its backend")

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)


@dataclass(frozen=True, kw_only=True)
class BackendScorer:
    metric: BackendMetric
    records: RecordIndex[BackendScore]

    def answered(self, _texts: Sequence[str], cases: Sequence[Case]) -> ScoreColumns:
        name = self.metric.info.name
        found = ((case, self.records.of(case.position)) for case in cases)
        return pack(
            _score(one.values.get(name) if one else None, one.parts.get(name) if one else None, case=case)
            for case, one in found
        )

    def missing(self, cases: Sequence[Case]) -> ScoreColumns:
        name = self.metric.info.name
        found = ((case, self.records.of(case.position)) for case in cases)
        parts = ((case, one.missing.get(name) if one else None) for case, one in found)
        return pack(_score(ratio(part) if part else None, part, case=case) for case, part in parts)


@dataclass(frozen=True, kw_only=True)
class OpenBackend:
    """`warnings` are what the backend had to say of its scoring."""

    scorers: dict[str, BackendScorer]
    records: RecordIndex[BackendScore]
    warnings: tuple[str, ...]


def open_backend(backend: MetricBackend, *, folder: Path, planned: Planned, beat: Beat) -> OpenBackend:
    """Raises EvaluateError where its samples are not the planned ones, or a metric is not there."""
    infos, warnings = _infos(folder / INFOS, backend=backend)
    if lacking := [name for name in backend.metrics if name not in infos]:
        raise EvaluateError(
            f"backend {backend.name!r} has no scores of {', '.join(lacking)}",
            hint=f"it has: {', '.join(infos) or 'none'}",
        )
    records = RecordIndex(folder / SCORES, parse=BackendScore.model_validate_json, planned=planned, beat=beat)
    missing = some(planned.ids[position] for position in records.missing())
    faults = {
        "lacks samples": missing,
        "has samples that are not planned": some(records.extra),
        "has samples more than once": some(records.earlier),
        "has lines that cannot be read": f"{records.unreadable}" if records.unreadable else "",
    }
    for what, ids in faults.items():
        if ids:
            raise EvaluateError(
                f"backend {backend.name!r} {what}: {ids}", hint="run it again on these predictions"
            )
    return OpenBackend(
        scorers={
            name: BackendScorer(metric=BackendMetric(info=infos[name]), records=records)
            for name in backend.metrics
        },
        records=records,
        warnings=tuple(f"backend {backend.name}: {line}" for line in warnings),
    )


def _infos(path: Path, *, backend: MetricBackend) -> tuple[dict[str, MetricInfo], list[str]]:
    try:
        data = json.loads(path.read_bytes())
        return {name: MetricInfo(**info) for name, info in data["metrics"].items()}, list(data["warnings"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise EvaluateError(
            f"backend {backend.name!r}: {path.name} cannot be read: {error}", hint="run the backend again"
        ) from error


def _score(value: float | None, parts: Sequence[float] | None, *, case: Case) -> SampleScore:
    if value is None or parts is None:
        return undefined("unscored" if case.references else "no_reference")
    return SampleScore(value=value, parts=tuple(parts))
