"""Relaxed accuracy of chart questions: numbers within 5 %, texts equal; three variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vlmhb_benchmarks.metrics.answers.numbers import Quantity, parse_quantity
from vlmhb_benchmarks.metrics.base import MeanMetric, MetricInfo
from vlmhb_benchmarks.metrics.text import normalise

TOLERANCE = 0.05
_ROUNDING = 1e-9  # 1.05 against 1 is 5 %, though its binary fraction is a little more


def as_float(text: str) -> float | None:
    """Python's reading of a number (`1e3`, `1_000`, `inf` too); trailing percent signs divide by 100."""
    try:
        return float(text.rstrip("%")) / 100.0 if text.endswith("%") else float(text)
    except ValueError:
        return None


@dataclass(frozen=True, kw_only=True)
class RelaxedAccuracy(MeanMetric):
    """The rule of Pix2Struct's scorer. `zero`: how a target of 0 is met, as a text or as a number."""

    zero: Literal["text", "number"] = "text"

    def compare(self, prediction: str, reference: str) -> float:
        answer, gold = prediction.strip(), reference.strip()
        number, target = as_float(answer), as_float(gold)
        if number is None or target is None or (target == 0 and self.zero == "text"):
            return 1.0 if answer.lower() == gold.lower() else 0.0
        if target == 0:
            return 1.0 if number == 0 else 0.0
        return 1.0 if abs(number - target) / abs(target) <= TOLERANCE else 0.0


class StrictRelaxedAccuracy(MeanMetric):
    """Quantities as people write them; a year must be exact."""

    def compare(self, prediction: str, reference: str) -> float:
        answer, target = parse_quantity(prediction), parse_quantity(reference)
        if answer is None or target is None:
            return 1.0 if _plain(prediction) == _plain(reference) else 0.0
        return 1.0 if _close(answer, target) else 0.0


def _plain(text: str) -> str:
    return normalise(text).rstrip(".").rstrip()


def _close(answer: Quantity, target: Quantity) -> bool:
    """A currency must not be another one; a percent sign on one side only may mean x or x/100."""
    if answer.currency and target.currency and answer.currency != target.currency:
        return False
    if target.is_year:
        return answer.value == target.value and not answer.percent
    if answer.percent == target.percent:
        return _within(answer.value, target.value)
    return _within(answer.value, target.value) or _within(answer.fraction, target.fraction)


def _within(number: float, target: float) -> bool:
    if target == 0:
        return number == 0
    return abs(number - target) / abs(target) <= TOLERANCE + _ROUNDING


def _info(name: str, *, what: str, source: str, deviations: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description=what,
        source=source,
        empty_rule="empty texts are compared as texts: both empty: 1; one of them: 0; missing answer: 0",
        params={"tolerance": TOLERANCE},
        binary=True,
        deviations=deviations,
    )


RELAXED_ACCURACY = RelaxedAccuracy(
    info=_info(
        "relaxed_accuracy",
        what="official ChartQA: numbers within 5 %, else equal in any case; years are numbers",
        source="Masry et al. 2022 (arXiv:2203.10244) as in Pix2Struct, metrics.py, relaxed_correctness",
        deviations="both texts are stripped first (VLMEvalKit: the answer); a target of 0 is compared as a text "
        "(`0.0` is wrong), in EvalScope as a number; `inf` and `nan` are never right",
    )
)
RELAXED_ACCURACY_EVALSCOPE = RelaxedAccuracy(
    info=_info(
        "relaxed_accuracy_evalscope",
        what="as relaxed_accuracy, but a target of 0 needs the number 0",
        source="EvalScope 1.14.1, benchmarks/chartqa/utils.py",
        deviations="EvalScope scores an answer without `ANSWER:` as empty: use extraction answer_marker",
    ),
    zero="number",
)
RELAXED_ACCURACY_STRICT = StrictRelaxedAccuracy(
    info=_info(
        "relaxed_accuracy_strict",
        what="numbers within 5 %, years exact, separators, currencies and percent signs understood",
        source="relaxed_accuracy with our reading of numbers (docs/metrics-reference.md)",
        deviations="all others: `2010` is right for `2008`, `1,234` and `$5` are no numbers, `5%` is not `5`",
    )
)
