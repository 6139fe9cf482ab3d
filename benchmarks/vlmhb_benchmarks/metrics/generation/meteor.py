"""METEOR with exact and stem matches: no WordNet, which is data that an offline machine does not have."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from vlmhb_benchmarks.metrics.base import MetricInfo
from vlmhb_benchmarks.metrics.generation.words_base import EMPTY_RULE, WordMetric

ALPHA, BETA, GAMMA = 0.9, 3.0, 0.5


class Link(NamedTuple):
    """Two words that were matched, by position."""

    answer: int
    gold: int


class Meteor(WordMetric):
    def compare(self, answer: list[str], gold: list[str]) -> float:
        links = align(answer, gold)
        if not links:
            return 0.0
        precision, recall = len(links) / len(answer), len(links) / len(gold)
        mean = precision * recall / (ALPHA * precision + (1 - ALPHA) * recall)
        penalty = GAMMA * math.pow(chunks(links) / len(links), BETA)
        return (1 - penalty) * mean


def align(answer: Sequence[str], gold: Sequence[str]) -> list[Link]:
    """Equal words first, then equal stems among the rest, each from the end; in the order of the answer."""
    exact = _match(list(enumerate(answer)), list(enumerate(gold)))
    used = {link.answer for link in exact}, {link.gold for link in exact}
    left = ((position, _stem(word)) for position, word in enumerate(answer) if position not in used[0])
    right = ((position, _stem(word)) for position, word in enumerate(gold) if position not in used[1])
    return sorted([*exact, *_match(list(left), list(right))])


def _match(answer: Sequence[tuple[int, str]], gold: Iterable[tuple[int, str]]) -> list[Link]:
    """The last free word of `gold` that equals, for each word of `answer` from the last."""
    free: dict[str, list[int]] = {}
    for position, word in gold:
        free.setdefault(word, []).append(position)
    return [
        Link(answer=position, gold=free[word].pop()) for position, word in reversed(answer) if free.get(word)
    ]


def chunks(links: Sequence[Link]) -> int:
    """Runs of matches that stand side by side in both texts."""
    breaks = (
        after.answer != before.answer + 1 or after.gold != before.gold + 1
        for before, after in pairwise(links)
    )
    return 1 + sum(breaks)


@cache
def _stemmer() -> Any:
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    return str(_stemmer().stem(word))


METEOR = Meteor(
    info=MetricInfo(
        name="meteor",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="METEOR of the best reference, exact words and Porter stems, mean over samples",
        source="Banerjee and Lavie 2005 (W05-0909) with alpha 0.9, beta 3, gamma 0.5, as NLTK aligns",
        empty_rule=EMPTY_RULE,
        params={"alpha": ALPHA, "beta": BETA, "gamma": GAMMA, "synonyms": False},
        deviations="NLTK also matches WordNet synonyms; the original pools counts over the corpus and has "
        "other parameters per language. A perfect answer of m words has 1 - 0.5/m³. Stems are English",
    )
)
