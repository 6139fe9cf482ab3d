"""What METEOR, ROUGE-L and CIDEr share: a value per sample from the words of answer and references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, best, mean_score, ratio, undefined
from vlmhb_benchmarks.metrics.words import word_tokens

EMPTY_RULE = "reference without words: undefined (null, flagged); answer without words, or missing: 0"


@dataclass(frozen=True, kw_only=True)
class WordMetric:
    """A subclass gives `compare(answer words, reference words)`; the best reference with words counts."""

    info: MetricInfo

    def compare(self, answer: list[str], gold: list[str]) -> float:
        raise NotImplementedError

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        if not references:
            return undefined("no_reference")
        answer = word_tokens(prediction)
        golds = ((text, word_tokens(text)) for text in references)
        scores = (
            mean_score(self.compare(answer, words), matched_reference=text) for text, words in golds if words
        )
        return best(scores, key=lambda value: value) or undefined("empty_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        return self.score("", references)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)
