"""Reads yes or no out of a reply, in English and Russian."""

from __future__ import annotations

import re

from vlmhb_benchmarks.extraction.base import Extracted, Extraction
from vlmhb_benchmarks.extraction.plain import last_boxed
from vlmhb_benchmarks.metrics.answers.yes_no import verdict
from vlmhb_benchmarks.metrics.base import Context

_FIRST = re.compile(r"\W*(yes|no|да|нет)\b(?!-)", re.IGNORECASE)
_YES = re.compile(r"\b(?:Yes|YES|Да|ДА)\b(?!-)")
_NO = re.compile(r"\b(?:No|NO|Нет|НЕТ)\b(?!-)")


def yes_no(reply: str, _: Context) -> Extracted:
    """The reply itself; else its first word; else the only verdict that is written with a capital letter."""
    found = _verdict(reply)
    return Extracted(text="" if found is None else ("yes" if found else "no"), found=found is not None)


def _verdict(reply: str) -> bool | None:
    whole = verdict(last_boxed(reply) or reply)
    if whole is not None:
        return whole
    first = _FIRST.match(reply)
    if first:
        return verdict(first.group(1))
    yes, no = _YES.search(reply), _NO.search(reply)
    return None if bool(yes) == bool(no) else bool(yes)


YES_NO = Extraction(
    name="yes_no",
    version="1",
    description="yes or no (да, нет): the whole reply, its first word, or the only `Yes` or `No` in it; "
    "`no` inside prose (there is no evidence) is no verdict",
    source="EvalScope 1.14.1, utils/yes_no.py, with the first word before it",
    on_miss="nothing, so the sample is wrong",
    rule=yes_no,
)
