"""Metrics that compare two whole texts and average: exact match, edit similarity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, best, mean_score, ratio, undefined
from vlmhb_benchmarks.metrics.distance import similarity
from vlmhb_benchmarks.metrics.text import normalise


def strip(text: str) -> str:
    return text.strip()


def equality(first: str, second: str) -> float:
    return 1.0 if first == second else 0.0


@dataclass(frozen=True, kw_only=True)
class Matching:
    """`compare` of both texts after `prepare`; the best reference counts. Parts: value, 1."""

    info: MetricInfo
    prepare: Callable[[str], str]
    compare: Callable[[str, str], float]

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        answer = self.prepare(prediction)
        scores = (
            mean_score(self.compare(self.prepare(text), answer), matched_reference=text)
            for text in references
        )
        return best(scores, key=lambda value: value) or undefined("no_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        """No answer scores 0, even where an empty one would have been right."""
        return mean_score(0.0, matched_reference=references[0]) if references else undefined("no_reference")

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)


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
    )


EXACT_MATCH = Matching(
    info=_info(
        "exact_match",
        what="1 if the answer equals a reference, outer white space aside",
        source="definition: string equality after strip",
    ),
    prepare=strip,
    compare=equality,
)
EXACT_MATCH_NORM = Matching(
    info=_info(
        "exact_match_norm",
        what="exact match of normalised texts",
        source="as exact_match, after NFC, case folding, ё→е, quotes unified, white space collapsed",
    ),
    prepare=normalise,
    compare=equality,
)
EDIT_SIMILARITY = Matching(
    info=_info(
        "edit_similarity",
        what="1 - Levenshtein distance / length of the longer text",
        source="1 - normalised edit distance (Ouyang et al. 2024, arXiv:2412.07626) of stripped texts",
    ),
    prepare=strip,
    compare=similarity,
)
