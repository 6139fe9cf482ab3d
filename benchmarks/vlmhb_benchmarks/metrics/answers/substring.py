"""Whether the reply contains the reference: as whole words, or anywhere as OCRBench has it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace

from vlmhb_benchmarks.metrics.base import Context, MeanMetric, Metric, MetricInfo
from vlmhb_benchmarks.metrics.text import normalise

_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0xD7FF), (0xF900, 0xFAFF))
_ASTRAL_HAN = 0x20000
_MINUS = "-−"


class SubstringMatch(MeanMetric):
    """1 if the normalised reference stands in the normalised reply as whole words and whole numbers."""

    def compare(self, prediction: str, reference: str) -> float:
        text, part = normalise(prediction), normalise(reference)
        if not part:
            return 0.0 if text else 1.0
        return 1.0 if contains_whole(text, part) else 0.0


def contains_whole(text: str, part: str) -> bool:
    """Whether `part`, which is not empty, stands in `text` without cutting a word or a number."""
    start = text.find(part)
    while start >= 0:
        if _opens(text, start) and _closes(text, start + len(part)):
            return True
        start = text.find(part, start + 1)
    return False


def _opens(text: str, start: int) -> bool:
    """No word and no number goes on to the left of `start`."""
    first, before, second = text[start], text[start - 1 : start], text[max(0, start - 2) : max(0, start - 1)]
    if not before:
        return True
    if _in_word(first) and _in_word(before):
        return False
    if not first.isdigit():
        return True
    decimal = before in ".," and (second.isdigit() or (before == "." and not second.strip()))
    sign = before in _MINUS and not _in_word(second)
    return not decimal and not sign


def _closes(text: str, end: int) -> bool:
    last, after, second = text[end - 1], text[end : end + 1], text[end + 1 : end + 2]
    if not after:
        return True
    if unicodedata.combining(after) or (_in_word(last) and _in_word(after)):
        return False
    return not (last.isdigit() and after in ".," and second.isdigit())


def _in_word(char: str) -> bool:
    """A letter or digit of a script that puts blanks between words."""
    if not (char.isalnum() or char == "_"):
        return False
    code = ord(char)
    return code < _ASTRAL_HAN and not any(low <= code <= high for low, high in _UNSPACED)


@dataclass(frozen=True, kw_only=True)
class OcrBench(MeanMetric):
    """OCRBench v1: lower case, strip, line breaks as blanks, then `in`. Formulas: no blanks, case kept."""

    formula: bool = False

    def in_context(self, context: Context) -> Metric:
        formula = bool(_FORMULA_SETS.intersection(context.metadata.values()))
        return replace(self, formula=True) if formula else self

    def compare(self, prediction: str, reference: str) -> float:
        return 1.0 if self._prepared(reference) in self._prepared(prediction) else 0.0

    def _prepared(self, text: str) -> str:
        if self.formula:
            return text.strip().replace("\n", "").replace(" ", "")
        return text.lower().strip().replace("\n", " ")


# As the data set and as the question type are called, whatever the column.
_FORMULA_SETS = frozenset({"HME100k", "Handwritten Mathematical Expression Recognition"})

SUBSTRING_MATCH = SubstringMatch(
    info=MetricInfo(
        name="substring_match",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="1 if the normalised reply contains a reference as whole words and whole numbers",
        source="definition: containment after NFC, case folding, ё→е, quotes unified, white space collapsed",
        empty_rule="empty reference: 1 if the answer is empty too, else 0; empty or missing answer: 0",
        binary=True,
        deviations="others look for the bare string (ocrbench, MTVQA): there `7` is in `I counted 17 items`. "
        "Words need no blanks around them in Chinese, Japanese, Korean, Thai, Lao, Burmese and Khmer",
    )
)
OCRBENCH = OcrBench(
    info=MetricInfo(
        name="ocrbench",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="OCRBench v1: a reference is a substring of the reply; HME100k by its own rule",
        source="Liu et al. 2023 (arXiv:2305.07895), example.py of the OCRBench repository",
        empty_rule="an empty reference is in every reply: 1; empty answer: 0 unless so; missing answer: 0",
        binary=True,
        deviations="a share, not points of 1000; lmms-eval folds full-width characters; VLMEvalKit has a "
        "second copy of the rule for its own question types",
    )
)
