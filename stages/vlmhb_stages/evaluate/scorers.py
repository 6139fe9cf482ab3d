"""How one metric scores a chunk of samples: in a batch, one by one in the sample's context, or on all cores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import Protocol, TypeVar, get_args

from vlmhb_benchmarks.metrics import Metric, SampleScore
from vlmhb_benchmarks.metrics.base import ContextMetric, FieldMetric, Flag, undefined
from vlmhb_benchmarks.metrics.batch import ScoreColumns, pack, score_all

from vlmhb_stages.evaluate.cases import Case
from vlmhb_stages.evaluate.faults import EvaluateError, Sightings
from vlmhb_stages.evaluate.pool import FieldScores, HeavyPool, Job
from vlmhb_stages.evaluate.records import Beat
from vlmhb_stages.text import well_formed

T = TypeVar("T")


class Scorer(Protocol):
    """Scores under one metric, one for each case."""

    @property
    def metric(self) -> Metric: ...

    def answered(self, texts: Sequence[str], cases: Sequence[Case], /) -> ScoreColumns: ...

    def missing(self, cases: Sequence[Case], /) -> ScoreColumns: ...


@dataclass(kw_only=True)
class Failures:
    """What went wrong in a metric's code. `answers`: how many it was given, `failed`: on how many of them."""

    answers: int = 0
    failed: int = 0
    samples: Sightings = field(default_factory=Sightings)
    first: str = ""

    def add(self, sample_id: str, message: str) -> None:
        self.first = self.first or message
        self.samples.add(sample_id)


@dataclass(frozen=True, kw_only=True)
class LocalScorer:
    """A metric that is computed here. `guarded`: a user's code, asked sample by sample from the start."""

    metric: Metric
    beat: Beat
    guarded: bool = False
    pool: HeavyPool | None = None
    failures: Failures = field(default_factory=Failures)

    @cached_property
    def in_context(self) -> bool:
        return isinstance(self.metric, ContextMetric)

    @property
    def has_fields(self) -> bool:
        """A user's metric is asked for its one value only."""
        return isinstance(self.metric, FieldMetric) and not self.guarded

    def bound(self, case: Case) -> Metric:
        return bind(self.metric, case) if self.in_context else self.metric

    def answered(self, texts: Sequence[str], cases: Sequence[Case]) -> ScoreColumns:
        if self.guarded:
            return self._guarded(texts, cases)
        try:
            columns = self._unguarded(texts, cases)
        except EvaluateError:
            raise
        except Exception:  # noqa: BLE001 - a fault of ours in one sample must not cost the others: they are scored apart
            return self._guarded(texts, cases)
        self.failures.answers += len(cases)
        return columns

    def _unguarded(self, texts: Sequence[str], cases: Sequence[Case]) -> ScoreColumns:
        if self.pool is not None and self.metric.info.heavy:
            return pack(self.pool.scores(self.metric.info.name, _jobs(texts, cases), beat=self.beat))
        if self.in_context or self.metric.info.heavy:
            return pack(
                self.bound(case).score(text, case.references)
                for text, case in self._alive(zip(texts, cases, strict=True))
            )
        self.beat()
        return score_all(self.metric, texts, [case.references for case in cases])

    def fields(self, texts: Sequence[str | None], cases: Sequence[Case]) -> Iterable[FieldScores]:
        """Scores by field of each case, None being no answer. Only where the metric `has_fields`.

        A sample on which the metric fails has no fields: `answered` has told it."""
        if self.pool is not None and self.metric.info.heavy:
            try:
                return self.pool.fields(self.metric.info.name, _jobs(texts, cases), beat=self.beat)
            except EvaluateError:
                raise
            except Exception:  # noqa: BLE001 - as in `answered`: the samples are asked one by one instead
                pass
        return (self._by_field(case, text) for text, case in self._alive(zip(texts, cases, strict=True)))

    def _by_field(self, case: Case, text: str | None) -> FieldScores:
        try:
            metric = self.bound(case)
            return metric.by_field(text, case.references) if isinstance(metric, FieldMetric) else {}
        except Exception as error:  # noqa: BLE001 - as in `answered`
            self.failures.add(case.sample_id, _message(error))
            return {}

    def missing(self, cases: Sequence[Case]) -> ScoreColumns:
        if self.guarded:
            return pack(self._attempt(case, None) for case in cases)
        return pack(self.bound(case).missing(case.references) for case in cases)

    def check(self) -> str | None:
        """A warning where the metric's code failed. Raises EvaluateError where it failed on every answer."""
        failed = self.failures
        if not failed.samples:
            return None
        name = self.metric.info.name
        if failed.failed == failed.answers > 0:
            hint = "it is called with the answer and the list of references, and gives a finite number"
            raise EvaluateError(
                f"{'user ' if self.guarded else ''}metric {name!r} fails on every sample: {failed.first}",
                hint=hint if self.guarded else "please report it with a sample",
            )
        return f"{name}: undefined, the metric's own code failed ({failed.first}): {failed.samples}"

    def _guarded(self, texts: Sequence[str], cases: Sequence[Case]) -> ScoreColumns:
        columns = pack(
            self._attempt(case, text) for text, case in self._alive(zip(texts, cases, strict=True))
        )
        self.failures.answers += len(cases)
        self.failures.failed += sum(flag == "failed" for flag in columns.flags.values())
        return columns

    def _attempt(self, case: Case, text: str | None) -> SampleScore:
        """`text` None: no answer."""
        try:
            metric = self.bound(case)
            return _checked(
                metric.missing(case.references) if text is None else metric.score(text, case.references)
            )
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may raise anything, and call exit
            self.failures.add(case.sample_id, _message(error))
            return undefined("failed")

    def _alive(self, items: Iterable[T]) -> Iterable[T]:
        for item in items:
            self.beat()
            yield item


def _message(error: BaseException) -> str:
    return " ".join(well_formed(f"{type(error).__name__}: {error}"[:300]).split())


def _jobs(texts: Sequence[str | None], cases: Sequence[Case]) -> list[Job]:
    return [
        Job(text=text, references=case.references, context=case.context)
        for text, case in zip(texts, cases, strict=True)
    ]


def _checked(score: SampleScore) -> SampleScore:
    """A NaN in one sample would make every aggregate one, and so would a value without parts. Raises ValueError."""
    if (score.value is None) != (score.parts is None):
        raise ValueError(f"gave value {score.value!r} with parts {score.parts!r}: both are None, or neither")
    if score.flag not in (get_args(Flag) if score.value is None else (None, *get_args(Flag))):
        raise ValueError(f"gave value {score.value!r} with flag {score.flag!r}, not one of `Flag`")
    if not all(map(isfinite, (score.value or 0.0, *(score.parts or ())))):
        raise ValueError(f"gave {score.value!r}, parts {score.parts!r}: not finite numbers")
    return score


def bind(metric: Metric, case: Case) -> Metric:
    return metric.in_context(case.context) if isinstance(metric, ContextMetric) else metric
