"""ANLS, the average normalised Levenshtein similarity of document VQA, in the field's four variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from operator import ne

from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, best, mean_score, ratio, undefined
from vlmhb_benchmarks.metrics.batch import Floats, Pairs, ScoreColumns, numbers, pack
from vlmhb_benchmarks.metrics.bulk import lower_collapse_all
from vlmhb_benchmarks.metrics.distance import distances, levenshtein
from vlmhb_benchmarks.metrics.text import TextRule, lower_collapse

THRESHOLD = 0.5


def lower_strip(text: str) -> str:
    """Blanks inside the text count."""
    return text.lower().strip()


def raw_length(text: str) -> int:
    """The official scorer measures the raw text, in upper case (where `ß` counts two)."""
    return len(text) if text.isascii() else len(text.upper())


@dataclass(frozen=True, kw_only=True)
class Anls:
    """1 - distance / max(length) after `normalise`; too low a similarity is 0. Best reference, mean.

    `raw_lengths`: lengths of the texts as they came. `half_counts`: a similarity of exactly 0.5 is kept.
    `nothing_is_wrong`: a sample without references scores 0 and is not left out."""

    info: MetricInfo
    normalise: TextRule = lower_collapse
    raw_lengths: bool = False
    half_counts: bool = True
    nothing_is_wrong: bool = False

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        scores = (self._against(prediction, reference) for reference in references)
        return best(scores, key=lambda value: value) or self._no_reference()

    def score_batch(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> ScoreColumns:
        """As `score` of each pair."""
        if self.nothing_is_wrong and not all(references):
            return self._batch_with_gaps(predictions, references)
        pairs = Pairs.of(references)
        values = self._values(pairs.references, pairs.spread(list(predictions)))
        return pairs.best(values, parts=None, sign=1.0, flag="no_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        """No answer scores 0, even where an empty one would have been right."""
        return mean_score(0.0, matched_reference=references[0]) if references else self._no_reference()

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)

    def _no_reference(self) -> SampleScore:
        if self.nothing_is_wrong:
            return mean_score(0.0, matched_reference=None)
        return undefined("no_reference")

    def _against(self, prediction: str, reference: str) -> SampleScore:
        gold, answer = self.normalise(reference), self.normalise(prediction)
        if self.raw_lengths:
            longest = max(raw_length(reference), raw_length(prediction))
        else:
            longest = max(len(gold), len(answer))
        value = 1.0 - levenshtein(gold, answer) / longest if longest else 1.0
        kept = value >= THRESHOLD if self.half_counts else value > THRESHOLD
        return mean_score(value if kept else 0.0, matched_reference=reference)

    def _values(self, references: Sequence[str], predictions: Sequence[str]) -> Floats:
        """Pair by pair. Equal texts are told apart first: with a good model they are most."""
        import numpy as np

        differ = list(map(ne, references, predictions))
        golds, answers = list(compress(references, differ)), list(compress(predictions, differ))
        values = np.ones(len(references))
        values[np.array(differ, dtype=bool)] = self._of_different(golds, answers)
        return values

    def _of_different(self, golds: list[str], answers: list[str]) -> Floats:
        import numpy as np

        gold, answer = self._normalised(golds), self._normalised(answers)
        edits = distances(gold, answer)
        if self.raw_lengths:
            longest = np.maximum(numbers(raw_length, golds), numbers(raw_length, answers))
        else:
            longest = np.maximum(numbers(len, gold), numbers(len, answer))
        # Two empty texts have distance 0: any divisor gives 1.
        values = 1.0 - edits / np.maximum(longest, 1.0)
        kept = values >= THRESHOLD if self.half_counts else values > THRESHOLD
        return np.where(kept, values, 0.0)

    def _normalised(self, texts: list[str]) -> list[str]:
        if self.normalise is lower_collapse:
            return lower_collapse_all(texts)
        return list(map(self.normalise, texts))

    def _batch_with_gaps(
        self, predictions: Sequence[str], references: Sequence[Sequence[str]]
    ) -> ScoreColumns:
        return pack(map(self.score, predictions, references))


def _info(name: str, *, what: str, source: str, rule: str, deviations: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description=what,
        source=source,
        empty_rule="both empty: 1; one of them empty: 0; missing answer: 0" + rule,
        params={"threshold": THRESHOLD},
        deviations=deviations,
    )


ANLS = Anls(
    info=_info(
        "anls",
        what="ANLS with lengths of the normalised texts: padding an answer gains nothing",
        source="Biten et al. 2019 (arXiv:1905.13648); lengths taken after normalisation",
        rule="",
        deviations="the official script, VLMEvalKit and lmms-eval divide by raw lengths (anls_docvqa): "
        "97 blanks after a wrong answer give 0.97 there, 0 here",
    ),
)
ANLS_DOCVQA = Anls(
    info=_info(
        "anls_docvqa",
        what="ANLS exactly as the official DocVQA scorer computes it (raw lengths)",
        source="Robust Reading Competition, DocVQA evaluation script, task 1",
        rule=" (padding counts in the length)",
        deviations="lmms-eval strips the answer first; VLMEvalKit stores the distance per sample",
    ),
    raw_lengths=True,
)
ANLS_EVALSCOPE = Anls(
    info=_info(
        "anls_evalscope",
        what="ANLS as EvalScope 1.14.1 computes it: normalised lengths, a sample without references is wrong",
        source="EvalScope 1.14.1, metrics/nlp/metrics.py",
        rule="; no reference: 0",
        deviations="EvalScope also takes the line after `ANSWER:` first: here that is extraction answer_marker",
    ),
    nothing_is_wrong=True,
)
ANLS_STRICT = Anls(
    info=_info(
        "anls_strict",
        what="ANLS where exactly 0.5 is 0 and blanks inside the text count",
        source="MMLongBench-Doc evaluation script (Ma et al. 2024, arXiv:2407.01523), its ANLS step",
        rule="",
        deviations="the ports for DUDE and SlideVQA in VLMEvalKit and lmms-eval; lmms-eval's SlideVQA gives "
        "two empty texts 0",
    ),
    normalise=lower_strip,
    half_counts=False,
)
