"""ROUGE-L: F1 of the longest common subsequence of words."""

from __future__ import annotations

from vlmhb_benchmarks.metrics.base import MetricInfo
from vlmhb_benchmarks.metrics.generation.words_base import EMPTY_RULE, WordMetric


class RougeL(WordMetric):
    """2·LCS / (words of both): precision and recall count alike (beta 1)."""

    def compare(self, answer: list[str], gold: list[str]) -> float:
        from rapidfuzz.distance import LCSseq

        return 2 * LCSseq.similarity(answer, gold) / (len(answer) + len(gold))


ROUGE_L = RougeL(
    info=MetricInfo(
        name="rouge_l",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="F1 of the longest common subsequence of words, best reference",
        source="Lin 2004 (W04-1013), beta 1 as in Google's rouge_score without stemming",
        empty_rule=EMPTY_RULE,
        params={"beta": 1.0, "stemmer": False},
        deviations="the caption scorers of COCO use beta 1.2 and take the best precision and recall of "
        "different references; rouge_score keeps ASCII letters and digits only; equal on ASCII",
    )
)
