"""chrF: F2 of character n-grams, pooled over the corpus as sacrebleu does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, undefined
from vlmhb_benchmarks.metrics.text import is_blank

ORDER = 6
BETA = 2.0


def ngrams(text: str) -> list[Counter[str]]:
    """Counts of the character n-grams of each order, white space removed."""
    plain = "".join(text.split())
    return [
        Counter(plain[start : start + size] for start in range(len(plain) - size + 1))
        for size in range(1, ORDER + 1)
    ]


def matches(answer: Sequence[Counter[str]], gold: Sequence[Counter[str]]) -> tuple[float, ...]:
    """For each order: n-grams of the answer (0 where the reference has none), of the reference, of both."""
    parts: list[float] = []
    for mine, theirs in zip(answer, gold, strict=True):
        common = sum(min(count, theirs[gram]) for gram, count in mine.items() if gram in theirs)
        parts += [float(mine.total() if theirs else 0), float(theirs.total()), float(common)]
    return tuple(parts)


def f_score(parts: Sequence[float]) -> float:
    """F-beta of the mean precision and recall over the orders that both sides have, 0..100."""
    orders = [parts[start : start + 3] for start in range(0, len(parts), 3)]
    counted = [(answer, gold, both) for answer, gold, both in orders if answer and gold]
    if not counted:
        return 0.0
    precision = sum(both / answer for answer, _, both in counted) / len(counted)
    recall = sum(both / gold for _, gold, both in counted) / len(counted)
    if not precision + recall:
        return 0.0
    return 100 * (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)


@dataclass(frozen=True, kw_only=True)
class Chrf:
    """Parts: `matches` of the reference with the best sentence score."""

    info: MetricInfo

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        if not references:
            return undefined("no_reference")
        answer = ngrams(prediction)
        chosen: SampleScore | None = None
        for text in references:
            if is_blank(text):
                continue
            parts = matches(answer, ngrams(text))
            value = f_score(parts)
            if chosen is None or chosen.value is None or value > chosen.value:
                chosen = SampleScore(value=value, parts=parts, matched_reference=text)
        return chosen or undefined("empty_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        """Nothing matched; the n-grams of the reference still count."""
        return self.score("", references)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return f_score(totals)


CHRF = Chrf(
    info=MetricInfo(
        name="chrf",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=100.0,
        description="corpus chrF, 0..100: F2 of character n-grams up to 6",
        source="Popović 2015 (W15-3049); sacrebleu, nrefs:var|case:mixed|eff:yes|nc:6|nw:0|space:no",
        empty_rule="blank reference: undefined (null, flagged); empty or missing answer: 0",
        params={"char_order": ORDER, "word_order": 0, "beta": BETA},
        average="corpus",
        deviations="NLTK's chrF counts an order that one side lacks; sacrebleu scores a blank reference 0",
    )
)
