"""Scores one sample under every metric: its answer, or the worst value where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlmhb_benchmarks.extraction import Extracted, Extraction
from vlmhb_benchmarks.metrics import Metric, SampleScore
from vlmhb_benchmarks.metrics.base import Context

from vlmhb_stages.contracts import Label, Prediction, Score
from vlmhb_stages.evaluate.records import Planned, is_answered


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A sample, what was scored of its reply, and its scores in the order of the metrics."""

    sample: Planned
    prediction: Prediction
    references: tuple[str, ...]
    extracted: Extracted | None  # None: not answered, so `scores` are those of a missing answer
    scores: tuple[SampleScore, ...]

    @property
    def answered(self) -> bool:
        return self.extracted is not None


@dataclass(frozen=True, kw_only=True)
class Judge:
    metrics: Sequence[Metric]
    extraction: Extraction

    def judge(self, sample: Planned, *, prediction: Prediction, label: Label | None) -> Judged:
        references = label.references if label else ()
        extracted = (
            self.extraction.rule(prediction.text or "", Context()) if is_answered(prediction) else None
        )
        scores = tuple(
            metric.missing(references) if extracted is None else metric.score(extracted.text, references)
            for metric in self.metrics
        )
        metadata = {**(label.metadata if label else {}), **sample.metadata}
        return Judged(
            sample=Planned(sample_id=sample.sample_id, metadata=metadata),
            prediction=prediction,
            references=references,
            extracted=extracted,
            scores=scores,
        )

    def record(self, judged: Judged, *, primary: int, whole_reply: bool) -> Score:
        """The line of `scores.jsonl`. Failures have no scores: they are states, not wrong answers.

        `extracted` is null where the whole reply was scored: it stands in predictions.jsonl."""
        names = [metric.info.name for metric in self.metrics]
        values = [score.value if judged.answered else None for score in judged.scores]
        matched = judged.scores[primary].matched_reference if judged.answered and names else None
        text = judged.extracted.text if judged.extracted and not whole_reply else None
        return Score(
            sample_id=judged.sample.sample_id,
            scores=dict(zip(names, values, strict=True)),
            matched_reference=matched,
            extracted=text,
            status=judged.prediction.status,
        )
