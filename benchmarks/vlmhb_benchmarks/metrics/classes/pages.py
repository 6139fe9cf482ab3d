"""Share of pages of a document whose class is right: the answer is one class number per page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, best, ratio, undefined

_NUMBER = re.compile(r"\d+")
_LIST = re.compile(r"\[([^\[\]]*)\]")
_MAX_DIGITS = 18  # a longer run of digits is no class number, and stays as it is written


def class_numbers(text: str, *, pages: int | None = None) -> list[str]:
    """The last bracketed list of numbers, else all numbers of the text.

    Digits that stand together count one by one where there are `pages` of them: the prototype's files have the
    answer `4,4,1,3,2` without its commas."""
    bracketed: list[str] = [found for found in _LIST.findall(text) if _NUMBER.search(found)]
    numbers = [_plain(digits) for digits in _NUMBER.findall(bracketed[-1] if bracketed else text)]
    together = text.strip()
    if pages is not None and len(numbers) == 1 and together.isdecimal() and len(together) == pages:
        return list(together)
    return numbers


def _plain(digits: str) -> str:
    return str(int(digits)) if len(digits) <= _MAX_DIGITS else digits


@dataclass(frozen=True, kw_only=True)
class PageClassAccuracy:
    """Parts: pages with the right class, pages of the longer list."""

    info: MetricInfo

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        if not references:
            return undefined("no_reference")
        scores = [self._against(prediction, reference) for reference in references]
        return best(scores, key=lambda value: value) or undefined("invalid_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        """Every page is wrong."""
        return self.score("", references)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)

    def _against(self, prediction: str, reference: str) -> SampleScore:
        gold = class_numbers(reference)
        if not gold:
            return undefined("invalid_reference")
        answer = class_numbers(prediction, pages=len(gold))
        right = sum(a == b for a, b in zip(answer, gold, strict=False))
        longer = max(len(answer), len(gold))
        return SampleScore(
            value=right / longer, parts=(float(right), float(longer)), matched_reference=reference
        )


PAGE_CLASS_ACCURACY = PageClassAccuracy(
    info=MetricInfo(
        name="page_class_accuracy",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="share of pages whose class number is right, over the longer of both lists",
        source="VLMHyperBench 0.1 prototype, RPOClassification: one class number per page",
        empty_rule="reference without numbers: undefined (null, flagged); empty or missing answer: every page wrong",
        average="micro",
    )
)
