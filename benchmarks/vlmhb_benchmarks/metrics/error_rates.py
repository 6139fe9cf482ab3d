"""Character and word error rates, pooled: sum of edits over sum of reference lengths."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, best, undefined
from vlmhb_benchmarks.metrics.batch import Pairs, ScoreColumns, numbers
from vlmhb_benchmarks.metrics.distance import distances, levenshtein
from vlmhb_benchmarks.metrics.text import normalise

_TWO_BLANKS = re.compile(r"\s\s+")
_EMPTY_RULE = (
    "empty reference: 0 if the answer is empty too, else undefined (null, flagged, out of the pool); "
    "empty or missing answer: all units deleted, 1"
)


# jiwer's default units of CER: code points of the text without its outer white space.
characters = str.strip


def words(text: str) -> list[str]:
    """jiwer's default units of WER: runs of two or more white spaces become one blank, split on blanks.

    A single line break or NBSP does not separate words."""
    plain = text.split()
    if " ".join(plain) == text:  # nothing but single blanks: the usual case, without a regular expression
        return plain
    return [word for word in _TWO_BLANKS.sub(" ", text).strip().split(" ") if word]


def normalised_words(text: str) -> list[str]:
    return normalise(text).split()


@dataclass(frozen=True, kw_only=True)
class ErrorRate:
    """(S + D + I) / N over the units that `units` cuts a text into. Parts: edits, reference units."""

    info: MetricInfo
    units: Callable[[str], Sequence[str]]

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """The reference with the lowest rate counts, the first of equals."""
        if not references:
            return undefined("no_reference")
        answer = self.units(prediction)
        chosen = best((self._against(answer, reference) for reference in references), key=lambda rate: -rate)
        return chosen or undefined("empty_reference")

    def score_batch(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> ScoreColumns:
        """As `score` of each pair."""
        import numpy as np

        pairs = Pairs.of(references)
        gold = list(map(self.units, pairs.references))
        answers = pairs.spread(list(map(self.units, predictions)))
        edits, lengths = distances(gold, answers), numbers(len, gold)
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = edits / lengths
        blank = lengths == 0
        if blank.any():
            rates[blank] = np.where(edits[blank] == 0, 0.0, np.nan)
        parts = np.column_stack([edits, lengths])
        parts[np.isnan(rates)] = np.nan
        return pairs.best(rates, parts=parts, sign=-1.0, flag="empty_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        """Every unit of the reference deleted: 1. A blank reference: undefined, as silence is never right."""
        if not references:
            return undefined("no_reference")
        real = [text for text in references if self.units(text)]
        return self.score("", real) if real else undefined("empty_reference")

    def from_totals(self, totals: Sequence[float]) -> float | None:
        """0/0 happens only where all references and answers are empty: no error."""
        edits, length = totals
        return edits / length if length else 0.0

    def _against(self, answer: Sequence[str], reference: str) -> SampleScore:
        gold = self.units(reference)
        edits = levenshtein(gold, answer)
        if not gold and edits:
            return undefined("empty_reference")
        rate = edits / len(gold) if gold else 0.0
        return SampleScore(value=rate, parts=(float(edits), float(len(gold))), matched_reference=reference)


def _info(name: str, *, what: str, source: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="lower",
        lowest=0.0,
        highest=None,
        description=what,
        source=source,
        empty_rule=_EMPTY_RULE,
        average="micro",
        deviations=_DEVIATIONS,
    )


_DEVIATIONS = (
    "jiwer raises on an empty reference (4.x: counts insertions) and ends the evaluation; the prototype reads "
    "`NA` and the empty text as `nan`"
)
_JIWER = "Morris et al. 2004 (10.21437/Interspeech.2004-668); units as in jiwer 3 defaults"
_NORMALISED = "as {}, after NFC, case folding, ё→е, quotes unified, white space collapsed"

CER = ErrorRate(
    info=_info("cer", what="character error rate, pooled over samples", source=_JIWER), units=characters
)
WER = ErrorRate(info=_info("wer", what="word error rate, pooled over samples", source=_JIWER), units=words)
CER_NORM = ErrorRate(
    info=_info("cer_norm", what="character error rate of normalised texts", source=_NORMALISED.format("cer")),
    units=normalise,
)
WER_NORM = ErrorRate(
    info=_info("wer_norm", what="word error rate of normalised texts", source=_NORMALISED.format("wer")),
    units=normalised_words,
)
