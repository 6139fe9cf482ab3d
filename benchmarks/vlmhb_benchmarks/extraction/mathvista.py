"""MathVista's answers by question type, by rule and without a judge model."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from vlmhb_benchmarks.extraction.base import Extracted, Extraction
from vlmhb_benchmarks.extraction.choices import choice_of, letters_of
from vlmhb_benchmarks.extraction.figures import last_number
from vlmhb_benchmarks.extraction.plain import last_boxed
from vlmhb_benchmarks.metrics.base import Context

_QUOTED = re.compile(r'the answer is "([^"\n]*)"', re.IGNORECASE)
_SAID = re.compile(r"(?:answer(?:\s{0,3}is)?|ответ)\s{0,3}[:=]?\s{0,3}([^\n]*)", re.IGNORECASE)
_LIST = re.compile(r"\[[^\[\]]*\]")


def mathvista(reply: str, context: Context) -> Extracted:
    """`question_type`, `answer_type` and `precision` of the metadata choose the rule."""
    kind = context.metadata.get("answer_type", "")
    if context.choices:
        text = _choice(reply, context)
    elif (rule := _RULES.get(kind)) is not None:
        text = rule(_core(reply), context.metadata)
    else:
        text = _core(reply)
    return Extracted(text=reply.strip() if text is None else text, found=text is not None)


def _core(reply: str) -> str:
    """The part that holds the answer: boxed, quoted, or the last `answer is …` line; else the whole reply."""
    if (box := last_boxed(reply)) is not None:
        return box
    if quoted := _QUOTED.findall(reply):
        return str(quoted[-1])
    said = [text.strip() for text in _SAID.findall(reply) if text.strip()]
    return said[-1].rstrip(".") if said else reply.strip()


def _choice(reply: str, context: Context) -> str | None:
    letter = choice_of(reply, context.choices)
    return None if letter is None else context.choices[letters_of(context.choices).index(letter)]


def _number(text: str) -> float | None:
    """The last number; None where there is none, or one that no float can hold."""
    found = last_number(text)
    value = math.inf if found is None else float(found)
    return value if math.isfinite(value) else None


def _integer(text: str, _: Mapping[str, str]) -> str | None:
    number = _number(text)
    return None if number is None else str(int(number))


def _float(text: str, metadata: Mapping[str, str]) -> str | None:
    number = _number(text)
    if number is None:
        return None
    precision = metadata.get("precision", "").split(".")[0]
    return str(round(number, int(precision))) if precision.isdecimal() else str(number)


def _list(text: str, _: Mapping[str, str]) -> str | None:
    found = _LIST.findall(text)
    return str(found[-1]) if found else None


_RULES: Mapping[str, Callable[[str, Mapping[str, str]], str | None]] = {
    "integer": _integer,
    "float": _float,
    "list": _list,
}

MATHVISTA = Extraction(
    name="mathvista",
    version="1",
    description="multiple choice: the text of the choice; integer, float: the last number of the boxed, quoted or "
    "announced answer, rounded to `precision`; list: the last list in brackets; text: the announced answer",
    source="Lu et al. 2023 (MathVista, arXiv:2310.02255), normalize_extracted_answer; its language-model step is "
    "replaced by rules, and no most similar choice is taken",
    on_miss="the whole reply",
    rule=mathvista,
)
