"""MMMU's reading of a reply: a choice letter, or the answer of an open question."""

from __future__ import annotations

import re

from vlmhb_benchmarks.extraction.base import Extracted, Extraction
from vlmhb_benchmarks.extraction.choices import mmmu_letter
from vlmhb_benchmarks.extraction.figures import last_number
from vlmhb_benchmarks.metrics.base import Context

# What stands before an answer; `=` counts in the last part of the reply only.
_INDICATORS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
_PARTS = re.compile(r"\.\s(?=\S)|\n")
_TRIVIAL = frozenset(":,.!?;'")


def mmmu(reply: str, context: Context) -> Extracted:
    if context.choices:
        letter = mmmu_letter(reply, context.choices)
        return Extracted(text=letter or "", found=letter is not None)
    phrase = _key_phrase(reply)
    if phrase is None:
        return Extracted(text=reply.strip(), found=False)
    return Extracted(text=last_number(phrase) or phrase, found=True)


def _key_phrase(reply: str) -> str | None:
    """The shortest rest after an indicator, in the last part of the reply that has one."""
    parts = _PARTS.split(reply.strip().rstrip("."))
    for position, part in enumerate(reversed(parts)):
        indicators = (*_INDICATORS, "=") if position == 0 else _INDICATORS
        lower = part.lower()
        tails = [part[lower.rfind(sign) + len(sign) :].strip() for sign in indicators if sign in lower]
        useful = [tail for tail in tails if tail and tail not in _TRIVIAL]
        if useful:
            return min(useful, key=len)
    return None


MMMU = Extraction(
    name="mmmu",
    version="1",
    description="choices: (B), then B before a blank, then B., then a choice's text in replies over 5 words, the "
    "last of several; open questions: the last number of, or the phrase after `is`, `answer`, `so`, `=` …",
    source="Yue et al. 2023 (arXiv:2311.16502), eval_utils.py; a letter must stand alone and be no article, no choice "
    "is drawn at random, and an open question has one answer instead of a list of candidates",
    on_miss="choices: nothing, so the sample is wrong; open questions: the whole reply",
    rule=mmmu,
)
