"""OCRBench v2: running text, scored as (BLEU + METEOR + word F + 1 - edit distance) / 4."""

from __future__ import annotations

import re
import warnings
from typing import Any

from vlmhb_benchmarks.metrics.distance import similarity

_CHINESE = re.compile(r"[\u4e00-\u9fa5]")
_CHINESE_TOKENS = re.compile(r"[\u4e00-\u9fff]|[^\s\u4e00-\u9fff]+")


def four_part(answer: str, gold: str) -> float:
    """The mean of the four. Words stand between blanks; where either text is Chinese, a character is a word."""
    chinese = _CHINESE.search(gold) or _CHINESE.search(answer)
    cut = _CHINESE_TOKENS.findall if chinese else str.split
    words, gold_words = cut(answer), cut(gold)
    parts = (_bleu(words, gold_words), _meteor(words, gold_words), _f(set(words), set(gold_words)))
    return (sum(parts) + similarity(answer, gold)) / 4


def _bleu(words: list[str], gold: list[str]) -> float:
    """Sentence BLEU of up to 4 words, not smoothed; NLTK warns where a length has no match, which is no news here."""
    from nltk.translate.bleu_score import sentence_bleu

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(sentence_bleu([gold], words))


class _NoSynonyms:
    """In the place of WordNet, which is no part of the image."""

    def synsets(self, _: str) -> list[Any]:
        return []


def _meteor(words: list[str], gold: list[str]) -> float:
    from nltk.translate.meteor_score import meteor_score

    return float(meteor_score([gold], words, wordnet=_NoSynonyms()))


def _f(words: set[str], gold: set[str]) -> float:
    """Harmonic mean of precision and recall over different words."""
    shared = len(words & gold)
    return 2 * shared / (len(words) + len(gold)) if shared else 0.0
