"""VQA accuracy: how many annotators gave the answer, three being enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlmhb_benchmarks.metrics.answers.vqa_text import clean, clean_evalai
from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, mean_score, ratio, undefined

ENOUGH = 3


@dataclass(frozen=True, kw_only=True)
class VqaAccuracy:
    """min(1, matches / 3) over the references, which are votes. Parts: value, 1.

    `leave_one_out`: the mean over the subsets that lack one reference, so that a vote never confirms itself."""

    info: MetricInfo
    normalise: Callable[[str], str]
    leave_one_out: bool

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        if not references:
            return undefined("no_reference")
        answer = self.normalise(prediction)
        hits = [self.normalise(text) == answer for text in references]
        matches, votes = sum(hits), len(hits)
        value = min(1.0, matches / ENOUGH)
        if self.leave_one_out:
            without_own = max(0.0, min(1.0, (matches - 1) / ENOUGH))
            value = (matches * without_own + (votes - matches) * value) / votes
        matched = references[hits.index(True)] if matches else None
        return mean_score(value, matched_reference=matched)

    def missing(self, references: Sequence[str]) -> SampleScore:
        return mean_score(0.0, matched_reference=None) if references else undefined("no_reference")

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)


def _info(name: str, *, what: str, source: str, deviations: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description=what,
        source=source,
        empty_rule="texts that are empty after cleaning are compared like others; missing answer: 0",
        params={"enough": ENOUGH},
        deviations=deviations,
    )


VQA_ACCURACY = VqaAccuracy(
    info=_info(
        "vqa_accuracy",
        what="TextVQA's accuracy: EvalAI cleaning, votes of the other annotators; made for 10 references",
        source="Singh et al. 2019 (arXiv:1904.08920), TextVQA evaluator of M4C and EvalAI",
        deviations="VLMEvalKit uses the older cleaning (vqa_accuracy_v1). A single reference can only give 0",
    ),
    normalise=clean_evalai,
    leave_one_out=True,
)
VQA_ACCURACY_V1 = VqaAccuracy(
    info=_info(
        "vqa_accuracy_v1",
        what="as vqa_accuracy with the cleaning of the VQA v2 scorer",
        source="Goyal et al. 2017 (arXiv:1612.00837), vqaEval; as VLMEvalKit applies it to TextVQA",
        deviations="the first VQA scorer cleans only where references differ; lmms-eval: vqa_accuracy",
    ),
    normalise=clean,
    leave_one_out=True,
)
VQA_ACCURACY_SIMPLE = VqaAccuracy(
    info=_info(
        "vqa_accuracy_simple",
        what="min(1, matches / 3) with EvalAI cleaning",
        source="Antol et al. 2015 (arXiv:1505.00468), equation of section 3",
        deviations="3 of 10 votes give 1, in the leave-one-out forms 0.9; a single reference at most 1/3, "
        "as EvalScope 1.14.1 has it for one reference",
    ),
    normalise=clean_evalai,
    leave_one_out=False,
)
