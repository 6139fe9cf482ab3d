"""CIDEr-D: n-grams weighted by how rare they are among the references of the whole set."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from vlmhb_benchmarks.metrics.base import Metric, MetricInfo, SampleScore, mean_score, ratio, undefined
from vlmhb_benchmarks.metrics.generation.words_base import EMPTY_RULE
from vlmhb_benchmarks.metrics.words import word_tokens

ORDER = 4
SIGMA = 6.0
SCALE = 10.0

Gram = tuple[str, ...]


def gram_counts(words: Sequence[str]) -> Counter[Gram]:
    return Counter(
        tuple(words[start : start + size])
        for size in range(1, ORDER + 1)
        for start in range(len(words) - size + 1)
    )


class Vector(NamedTuple):
    """Weights by n-gram, one mapping and norm per order; `length` counts bigrams, as the scorer does."""

    weights: tuple[dict[Gram, float], ...]
    norms: tuple[float, ...]
    length: int


@dataclass(frozen=True, kw_only=True)
class Cider:
    """`documents`: samples whose references hold an n-gram; `count`: how many samples there are.

    Not fitted, it knows no document and every weight is 0: see `fit`."""

    info: MetricInfo
    documents: Mapping[Gram, int] = field(default_factory=dict)
    count: int = 1

    def fit(self, references: Iterable[Sequence[str]]) -> Metric:
        """The metric with the document frequencies of these references. Samples without words do not count."""
        documents: Counter[Gram] = Counter()
        count = 0
        for texts in references:
            grams = {gram for text in texts for gram in gram_counts(word_tokens(text))}
            documents.update(grams)
            count += bool(grams)
        return Cider(info=self.info, documents=documents, count=max(count, 1))

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """The mean over the references that have words, not the best."""
        if not references:
            return undefined("no_reference")
        golds = [words for words in map(word_tokens, references) if words]
        if not golds:
            return undefined("empty_reference")
        answer = self._vector(word_tokens(prediction))
        value = sum(_similarity(answer, self._vector(words)) for words in golds) / len(golds)
        return mean_score(value, matched_reference=references[0] if len(references) == 1 else None)

    def missing(self, references: Sequence[str]) -> SampleScore:
        return self.score("", references)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)

    def _vector(self, words: Sequence[str]) -> Vector:
        everything = math.log(self.count)
        weights: tuple[dict[Gram, float], ...] = tuple({} for _ in range(ORDER))
        for gram, times in gram_counts(words).items():
            rarity = everything - math.log(max(1, self.documents.get(gram, 0)))
            weights[len(gram) - 1][gram] = times * rarity
        norms = tuple(math.sqrt(math.fsum(w * w for w in order.values())) for order in weights)
        return Vector(weights=weights, norms=norms, length=max(len(words) - 1, 0))


def _similarity(answer: Vector, gold: Vector) -> float:
    """Cosine per order with the answer's weights clipped to the reference's, damped by the length difference."""
    damping = math.exp(-((answer.length - gold.length) ** 2) / (2 * SIGMA**2))
    total = 0.0
    for mine, theirs, norm, other in zip(answer.weights, gold.weights, answer.norms, gold.norms, strict=True):
        if norm and other:
            shared = math.fsum(
                min(weight, theirs[gram]) * theirs[gram] for gram, weight in mine.items() if gram in theirs
            )
            total += shared / (norm * other)
    return SCALE * damping * total / ORDER


CIDER = Cider(
    info=MetricInfo(
        name="cider",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=10.0,
        description="CIDEr-D, 0..10, mean over references and samples; rarity from this set's references",
        source="Vedantam et al. 2015 (arXiv:1411.5726), CIDEr-D of the COCO caption scorer, n 4, sigma 6",
        empty_rule=EMPTY_RULE,
        params={"n": ORDER, "sigma": SIGMA},
        deviations="the COCO scorer cuts words with the Stanford PTB tokenizer: here letters, digits and "
        "marks of any script, in lower case. A set of one sample always has 0, a text under 4 words less than 10",
    )
)
