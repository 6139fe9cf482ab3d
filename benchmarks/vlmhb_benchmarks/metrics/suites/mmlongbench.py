"""The rule-based score of MMLongBench-Doc, by the format that an answer should have."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vlmhb_benchmarks.metrics.base import (
    Context,
    Metric,
    MetricInfo,
    SampleScore,
    mean_score,
    ratio,
    undefined,
)
from vlmhb_benchmarks.metrics.distance import levenshtein
from vlmhb_benchmarks.metrics.suites.literals import literal

NOT_ANSWERABLE = "Not answerable"
_PARENTHESIS = re.compile(r"\s*\([^)]*\)")
_EDGE_QUOTES = re.compile(r"^['\"]|['\"]$")
_EXACT_FORMS = (
    re.compile(r"\d+(-\d+|\s\d+)?"),  # telephone numbers
    re.compile(r"\d{4}[-\s]\d{2}([-\s]\d{2})?"),  # dates
    re.compile(r"[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}"),
)
_SIMILAR = 0.5
_CLOSE = 0.01
_LEAST_DIGITS = 2
_WHOLE_DIGITS = 3  # digits that a number without a point is taken to have


def clean(text: str) -> str:
    """Lower case; without what is in parentheses, one quote at either end, `$` before and `%` after."""
    bare = _EDGE_QUOTES.sub("", _PARENTHESIS.sub("", text.lower().strip()).strip()).strip()
    return bare.lstrip("$").strip().rstrip("%").strip()


def score_whole(gold: str, answer: str) -> float:
    """Numbers equal after the answer's fraction is cut off. Raises ValueError for a gold that is no whole number."""
    wanted = int(gold)
    try:
        return float(wanted == int(float(answer)))
    except (ValueError, OverflowError):
        return 0.0


def score_number(gold: str, answer: str) -> float:
    """Within 1 %, or equal when rounded as far as both are written; per cent may stand for a share and back."""
    wanted = float(clean(gold))
    try:
        found = float(clean(answer))
    except ValueError:
        return 0.0
    return float(any(_alike(found, scaled) for scaled in (wanted / 100, wanted, wanted * 100)))


def _alike(found: float, wanted: float) -> bool:
    digits = max(min(_digits(found), _digits(wanted)), _LEAST_DIGITS)
    return math.isclose(wanted, found, rel_tol=_CLOSE) or round(found, digits) == round(wanted, digits)


def _digits(number: float) -> int:
    _, point, fraction = str(number).rpartition(".")
    return len(fraction) if point else _WHOLE_DIGITS


def score_text(gold: str, answer: str) -> float:
    """Addresses, file names, pages, dates, times and telephone numbers: equal; others: ANLS above 0.5."""
    wanted, found = clean(gold), clean(answer)
    return float(wanted == found) if _is_exact(wanted) else _anls(wanted, found)


def score_list(gold: str, answer: str) -> float:
    """As many items; sorted, all equal, or the worst ANLS of a pair. Raises ValueError for a gold that is no list."""
    wanted, found = (
        sorted(map(clean, _items(gold, strict=True))),
        sorted(map(clean, _items(answer, strict=False))),
    )
    if len(wanted) != len(found):
        return 0.0
    if not wanted:
        return 1.0
    if _is_number(wanted[0]) or _is_exact(wanted[0]):
        return float("-".join(wanted) == "-".join(found))
    return min(_anls(one, two) for one, two in zip(wanted, found, strict=True))


def _items(text: str, *, strict: bool) -> list[str]:
    """The official script evaluates a text that begins with `[`; here only literals are read."""
    if not text.startswith("["):
        return [text]
    value = literal(text)
    if not isinstance(value, list):
        if strict:
            raise ValueError("no list")
        return [text]
    return [str(item) for item in value]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_exact(text: str) -> bool:
    return (
        "https://" in text
        or "a.m." in text
        or "p.m." in text
        or text.startswith("page")
        or text.endswith((".py", "ipynb"))
        or any(form.fullmatch(text) for form in _EXACT_FORMS)
    )


def _anls(gold: str, answer: str) -> float:
    """0.5 itself is 0 here. The official length is that of the capitals: ß counts twice."""
    length = max(len(gold.upper()), len(answer.upper()))
    value = 1.0 - (levenshtein(gold, answer) / length if length else 0.0)
    return value if value > _SIMILAR else 0.0


RULES: Mapping[str, Callable[[str, str], float]] = {
    "int": score_whole,
    "float": score_number,
    "str": score_text,
    "none": score_text,
    "list": score_list,
}


@dataclass(frozen=True, kw_only=True)
class MMLongBench:
    """The mean of the answers' scores. Parts: value, 1."""

    info: MetricInfo
    context: Context = field(default_factory=Context)

    def in_context(self, context: Context) -> Metric:
        return replace(self, context=context)

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        if not references:
            return undefined("no_reference")
        rule = RULES.get(self.context.metadata.get("answer_format", "").strip().lower())
        if rule is None:
            return undefined("unknown_type")
        try:
            return mean_score(rule(references[0], prediction.strip()), matched_reference=references[0])
        except ValueError:
            return undefined("invalid_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        score = self.score("", references)
        return score if score.value is None else mean_score(0.0, matched_reference=references[0])

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)


@dataclass(frozen=True, kw_only=True)
class MMLongBenchF1(MMLongBench):
    """Recall: over questions that have an answer; precision: over replies that give one. Parts: score of answerable
    questions, answerable questions, replies that answer."""

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        return self._split(
            super().score(prediction, references), answers=prediction.strip() != NOT_ANSWERABLE
        )

    def missing(self, references: Sequence[str]) -> SampleScore:
        return self._split(super().missing(references), answers=False)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        score, answerable, answered = totals
        return 2 * score / (answerable + answered) if answerable + answered else None

    def _split(self, score: SampleScore, *, answers: bool) -> SampleScore:
        if score.value is None or score.matched_reference is None:
            return score
        answerable = score.matched_reference != NOT_ANSWERABLE
        return replace(score, parts=(score.value if answerable else 0.0, float(answerable), float(answers)))


def _info(name: str, *, what: str, source: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description=what,
        source=source,
        empty_rule="empty answer: by the rule of its format; missing answer: 0",
        deviations=(
            "no judge: the official run lets GPT-4o take the answer out of the reply first, so prompt for a bare "
            "answer or name an extraction; a gold that is no number or list of its format is flagged; lists are read, "
            "never evaluated; lmms-eval takes the first number of the reply instead"
        ),
    )


_SOURCE = "Ma et al. 2024 (MMLongBench-Doc, arXiv:2407.01523), eval/eval_score.py"
MMLONGBENCH = MMLongBench(
    info=_info("mmlongbench", what="accuracy by answer format (Int, Float, Str, List, None)", source=_SOURCE)
)
MMLONGBENCH_F1 = MMLongBenchF1(
    info=replace(
        _info(
            "mmlongbench_f1",
            what="F1 of mmlongbench scores: recall over answerable questions, precision over replies that answer",
            source=_SOURCE + ", eval_acc_and_f1",
        ),
        average="micro",
    )
)
