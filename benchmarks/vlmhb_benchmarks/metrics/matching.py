"""Metrics that compare two whole texts and average: exact match, edit similarity, substring."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, best, mean_score, ratio, undefined
from vlmhb_benchmarks.metrics.batch import Floats, Pairs, ScoreColumns, numbers
from vlmhb_benchmarks.metrics.distance import distances, similarity
from vlmhb_benchmarks.metrics.text import TextRule, normalise

strip = str.strip
Compare = Callable[[str, str], float]
equality: Compare = operator.eq


@dataclass(frozen=True, kw_only=True)
class Matching:
    """`compare(reference, answer)` of both texts after `prepare`; the best reference counts. Parts: value, 1."""

    info: MetricInfo
    prepare: TextRule
    compare: Compare

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        answer = self.prepare(prediction)
        scores = (
            mean_score(float(self.compare(self.prepare(text), answer)), matched_reference=text)
            for text in references
        )
        return best(scores, key=lambda value: value) or undefined("no_reference")

    def score_batch(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> ScoreColumns:
        """As `score` of each pair."""
        pairs = Pairs.of(references)
        answers = pairs.spread(list(map(self.prepare, predictions)))
        golds = list(map(self.prepare, pairs.references))
        values = (
            _similarities(golds, answers)
            if self.compare is similarity
            else numbers(self.compare, golds, answers)
        )
        return pairs.best(values, parts=None, sign=1.0, flag="no_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        """No answer scores 0, even where an empty one would have been right."""
        return mean_score(0.0, matched_reference=references[0]) if references else undefined("no_reference")

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)


def _similarities(golds: Sequence[str], answers: Sequence[str]) -> Floats:
    import numpy as np

    longest = np.maximum(numbers(len, golds), numbers(len, answers))
    return 1.0 - distances(golds, answers) / np.maximum(longest, 1.0)


def _info(name: str, *, what: str, source: str, binary: bool = False, deviations: str = "") -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description=what,
        source=source,
        empty_rule="both empty: 1; one of them empty: 0; missing answer: 0",
        binary=binary,
        deviations=deviations,
    )


EXACT_MATCH = Matching(
    info=_info(
        "exact_match",
        what="1 if the answer equals a reference, outer white space aside",
        source="definition: string equality after strip",
        binary=True,
        deviations="OCR-VQA, VLMEvalKit: also lower case (exact_match_norm is nearest)",
    ),
    prepare=strip,
    compare=equality,
)
EXACT_MATCH_NORM = Matching(
    info=_info(
        "exact_match_norm",
        what="exact match of normalised texts",
        source="as exact_match, after NFC, case folding, ё→е, quotes unified, white space collapsed",
        binary=True,
    ),
    prepare=normalise,
    compare=equality,
)
EDIT_SIMILARITY = Matching(
    info=_info(
        "edit_similarity",
        what="1 - Levenshtein distance / length of the longer text",
        source="1 - normalised edit distance (Ouyang et al. 2024, arXiv:2412.07626) of stripped texts",
        deviations="OmniDocBench pools: sum of edits / sum of lengths per page (omnidoc_text)",
    ),
    prepare=strip,
    compare=similarity,
)
EDIT_SIMILARITY_NORM = Matching(
    info=_info(
        "edit_similarity_norm",
        what="edit_similarity of normalised texts",
        source="as edit_similarity, after NFC, case folding, ё→е, quotes unified, white space collapsed",
    ),
    prepare=normalise,
    compare=similarity,
)
