"""ANLS, the average normalised Levenshtein similarity of document VQA: a robust and the official variant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, best, mean_score, ratio, undefined
from vlmhb_benchmarks.metrics.distance import levenshtein
from vlmhb_benchmarks.metrics.text import lower_collapse

THRESHOLD = 0.5


def normalised_length(text: str) -> int:
    return len(lower_collapse(text))


def raw_length(text: str) -> int:
    """The official scorer measures the raw text, in upper case (where `ß` counts two)."""
    return len(text.upper())


@dataclass(frozen=True, kw_only=True)
class Anls:
    """1 - distance / max(length) of lower-cased, collapsed texts; below 0.5 it is 0. Best reference, mean."""

    info: MetricInfo
    length: Callable[[str], int]

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        scores = (self._against(prediction, reference) for reference in references)
        return best(scores, key=lambda value: value) or undefined("no_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        """No answer scores 0, even where an empty one would have been right."""
        return mean_score(0.0, matched_reference=references[0]) if references else undefined("no_reference")

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)

    def _against(self, prediction: str, reference: str) -> SampleScore:
        longest = max(self.length(reference), self.length(prediction))
        distance = levenshtein(lower_collapse(reference), lower_collapse(prediction))
        value = 1.0 - distance / longest if longest else 1.0
        return mean_score(value if value >= THRESHOLD else 0.0, matched_reference=reference)


def _info(name: str, *, what: str, source: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description=what,
        source=source,
        empty_rule="both empty: 1; one of them empty: 0; missing answer: 0",
        params={"threshold": THRESHOLD},
    )


ANLS = Anls(
    info=_info(
        "anls",
        what="ANLS with lengths of the normalised texts: padding an answer gains nothing",
        source="Biten et al. 2019 (arXiv:1905.13648); lengths taken after normalisation",
    ),
    length=normalised_length,
)
ANLS_DOCVQA = Anls(
    info=_info(
        "anls_docvqa",
        what="ANLS exactly as the official DocVQA scorer computes it (raw lengths)",
        source="Robust Reading Competition, DocVQA evaluation script, task 1",
    ),
    length=raw_length,
)
