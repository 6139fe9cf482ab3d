"""Which metrics an evaluation computes, and where each comes from: built in, the user's, or a backend's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vlmhb_benchmarks.extraction import Extraction, UnknownExtraction, get_extraction
from vlmhb_benchmarks.metrics import BrokenMetric, Metric, UnknownMetric, get_metric
from vlmhb_benchmarks.metrics.base import FittedMetric, MetricError

from vlmhb_stages.evaluate.faults import EvaluateError
from vlmhb_stages.evaluate.records import Beat
from vlmhb_stages.evaluate.scorers import LocalScorer, Scorer

References = Callable[[], Iterable[Sequence[str]]]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Metrics by lower-case name that are not built in."""

    users: Mapping[str, Metric]
    backends: Mapping[str, Scorer]


def select(names: Sequence[str], *, sources: Sources, beat: Beat) -> list[Scorer]:
    """In the order of `names`, then what backends have besides. Named twice counts once."""
    chosen: dict[str, Scorer] = {}
    for name in (*names, *sources.backends):
        scorer = _scorer(name, sources=sources, beat=beat)
        chosen.setdefault(scorer.metric.info.name, scorer)
    return list(chosen.values())


def _scorer(name: str, *, sources: Sources, beat: Beat) -> Scorer:
    key = name.strip().lower()
    if key in sources.backends:
        return sources.backends[key]
    if key in sources.users:
        return LocalScorer(metric=sources.users[key], beat=beat, guarded=True)
    try:
        return LocalScorer(metric=get_metric(name), beat=beat)
    except UnknownMetric as error:
        hint = "`vlmhb metrics list` shows all names"
        more = f"; the user's: {', '.join(sources.users)}" if sources.users else ""
        raise EvaluateError(str(error), hint=hint + more) from error
    except BrokenMetric as error:
        raise EvaluateError(str(error), hint="`vlmhb metrics list` shows all names") from error


def fitted(scorers: Sequence[Scorer], *, references: References) -> list[Scorer]:
    """Metrics that must see all references first have seen them. Raises EvaluateError where one cannot."""
    return [_fit(scorer, references=references) for scorer in scorers]


def _fit(scorer: Scorer, *, references: References) -> Scorer:
    if not isinstance(scorer, LocalScorer) or not isinstance(scorer.metric, FittedMetric):
        return scorer
    try:
        return replace(scorer, metric=scorer.metric.fit(references()))
    except MetricError as error:
        raise EvaluateError(f"{scorer.metric.info.name}: {error}", hint=error.hint) from error


def extraction_rule(name: str) -> Extraction:
    try:
        return get_extraction(name)
    except UnknownExtraction as error:
        raise EvaluateError(str(error), hint="`extraction` of the benchmark card") from error
