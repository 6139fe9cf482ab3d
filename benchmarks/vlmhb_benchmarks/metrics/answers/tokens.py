"""F1 over bags of tokens: SQuAD's for answers, CC-OCR's for pages of text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vlmhb_benchmarks.metrics.base import Context, MeanMetric, Metric, MetricInfo
from vlmhb_benchmarks.metrics.words import squad_tokens

_NOT_LATIN = re.compile(r"[^A-Za-z0-9]+")
_UNSPACED = frozenset({"Arabic", "Japanese", "Korean"})
_SCENE = "multi_scene_ocr"


def bag_score(answer: Sequence[str], gold: Sequence[str]) -> float:
    """2·common / (both lengths); two empty bags are equal: 1."""
    if not answer and not gold:
        return 1.0
    common = sum((Counter(answer) & Counter(gold)).values())
    return 2 * common / (len(answer) + len(gold))


class TokenF1(MeanMetric):
    """F1 of the words of answer and reference."""

    def compare(self, prediction: str, reference: str) -> float:
        return bag_score(squad_tokens(prediction), squad_tokens(reference))


@dataclass(frozen=True, kw_only=True)
class BagF1(MeanMetric):
    """CC-OCR's bag of words in lower case. `characters`: scripts that it cuts into characters.

    `latin_only`: in the scene and document track all but Latin letters and digits is deleted."""

    characters: bool = False
    latin_only: bool = False

    def in_context(self, context: Context) -> Metric:
        """The track and the subset stand in columns whose names differ between the tools."""
        values = tuple(context.metadata.values())
        characters = any(value in _UNSPACED or value.startswith("zh") for value in values)
        latin_only = _SCENE in values and not characters
        return replace(self, characters=characters, latin_only=latin_only)

    def compare(self, prediction: str, reference: str) -> float:
        return bag_score(self._tokens(prediction), self._tokens(reference))

    def _tokens(self, text: str) -> list[str]:
        words = text.replace("###", "").replace("***", "").lower().split()
        if self.characters:
            return list("".join(words))
        return [word for word in map(self._word, words) if word]

    def _word(self, word: str) -> str:
        return _NOT_LATIN.sub("", word) if self.latin_only else word


TOKEN_F1 = TokenF1(
    info=MetricInfo(
        name="token_f1",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="F1 of the words of answer and reference, best reference",
        source="Rajpurkar et al. 2016 (arXiv:1606.05250), SQuAD scorer, made aware of Unicode",
        empty_rule="both without words: 1; one of them: 0; missing answer: 0",
        deviations="SQuAD deletes ASCII punctuation only and knows no NFC, ё→е, case folding; equal on ASCII",
    )
)
BAG_F1 = BagF1(
    info=MetricInfo(
        name="bag_f1",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="F1 of bags of lower-case words (characters in Chinese, Japanese, Korean, Arabic)",
        source="Yang et al. 2024 (CC-OCR, arXiv:2412.02210), ocr_evaluator.py, macro F1",
        empty_rule="both without tokens: 1; one of them: 0; missing answer: 0",
        deviations="CC-OCR adds 1e-9 to every divisor, so its best value is 1 - 5e-10, and 0 for two empty "
        "texts; its track score is the mean over subsets (average `macro:<key>`)",
    )
)
