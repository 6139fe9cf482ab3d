"""Class accuracy: the share of answers that name the right class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vlmhb_benchmarks.metrics.base import (
    Context,
    MeanMetric,
    Metric,
    MetricInfo,
    SampleScore,
    mean_score,
    undefined,
)
from vlmhb_benchmarks.metrics.classes.labels import class_of


@dataclass(frozen=True, kw_only=True)
class ClassAccuracy(MeanMetric):
    """`choices` are the classes of the sample's prompt, in its order."""

    choices: tuple[str, ...] = ()

    def in_context(self, context: Context) -> Metric:
        return replace(self, choices=context.choices)

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        named = [text for text in references if class_of(text)]
        if not named:
            return undefined("empty_reference" if references else "no_reference")
        answer = class_of(prediction, choices=self.choices)
        for text in named:
            if class_of(text, choices=self.choices) == answer:
                return mean_score(1.0, matched_reference=text)
        return mean_score(0.0, matched_reference=named[0])

    def missing(self, references: Sequence[str]) -> SampleScore:
        return self.score("", references)


CLASS_ACCURACY = ClassAccuracy(
    info=MetricInfo(
        name="class_accuracy",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="share of answers that name the right class, by name or by index in the prompt's list",
        source="accuracy_score of scikit-learn, as in the prototype's classification script",
        empty_rule="blank reference: undefined; empty or missing answer: 0",
        binary=True,
        deviations="names are compared after NFC, case folding, ё→е, one kind of quotes, outer quotes and full stops "
        "removed; the prototype takes an index only",
    )
)
