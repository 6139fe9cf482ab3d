"""Yes-or-no questions: accuracy, and F1, precision and recall of `yes` as POPE reports them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vlmhb_benchmarks.metrics.answers.labels import bare
from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, undefined

YES = frozenset({"yes", "true", "да", "1"})
NO = frozenset({"no", "false", "нет", "0"})


class Verdicts(NamedTuple):
    """Counts. `unclear`: a wrong answer to a question whose answer is no, that says neither yes nor no."""

    true_yes: float = 0.0
    false_yes: float = 0.0
    missed_yes: float = 0.0
    true_no: float = 0.0
    unclear: float = 0.0


def verdict(text: str) -> bool | None:
    """Whether `text` says yes (or true, 1, да) or no; None for anything else, longer replies too."""
    word = bare(text)
    if word in YES:
        return True
    return False if word in NO else None


def accuracy(counts: Verdicts) -> float:
    return (counts.true_yes + counts.true_no) / sum(counts)


def f1(counts: Verdicts) -> float:
    wrong = counts.false_yes + counts.missed_yes
    return _share(2 * counts.true_yes, 2 * counts.true_yes + wrong, counts=counts)


def precision(counts: Verdicts) -> float:
    return _share(counts.true_yes, counts.true_yes + counts.false_yes, counts=counts)


def recall(counts: Verdicts) -> float:
    return _share(counts.true_yes, counts.true_yes + counts.missed_yes, counts=counts)


def _share(right: float, total: float, *, counts: Verdicts) -> float:
    """Without a yes to count, only a set that is all right (every no was met by no) is perfect."""
    if total:
        return right / total
    return 1.0 if accuracy(counts) == 1.0 else 0.0


@dataclass(frozen=True, kw_only=True)
class YesNo:
    """Parts: `Verdicts`. The score of one sample is the formula over that sample."""

    info: MetricInfo
    formula: Callable[[Verdicts], float]

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        return self._against(verdict(prediction), references)

    def missing(self, references: Sequence[str]) -> SampleScore:
        """No answer says neither."""
        return self._against(None, references)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        counts = Verdicts(*totals)
        return self.formula(counts) if any(counts) else None

    def _against(self, answer: bool | None, references: Sequence[str]) -> SampleScore:
        if not references:
            return undefined("no_reference")
        golds = {verdict(text): text for text in reversed(references)}
        known = [gold for gold in golds if gold is not None]
        if not known:
            return undefined("invalid_reference")
        # Where references disagree, either is right; a miss then counts as a missed yes.
        gold = answer if answer is not None and answer in golds else max(known)
        counts = _count(answer, gold=gold)
        return SampleScore(value=self.formula(counts), parts=tuple(counts), matched_reference=golds[gold])


def _count(answer: bool | None, *, gold: bool) -> Verdicts:
    if gold:
        return Verdicts(true_yes=1.0) if answer else Verdicts(missed_yes=1.0)
    if answer is None:
        return Verdicts(unclear=1.0)
    return Verdicts(false_yes=1.0) if answer else Verdicts(true_no=1.0)


def _info(name: str, *, what: str, binary: bool = False) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description=what,
        source="Li et al. 2023 (POPE, arXiv:2305.10355)",
        empty_rule="an answer that is neither yes nor no, or missing, is wrong; such a reference: undefined",
        average="mean" if binary else "corpus",
        binary=binary,
        deviations="POPE's script counts every reply without no or not as yes, EvalScope looks for the word "
        "in the reply: here that is extraction yes_no. A set without any yes in references and answers is 1 "
        "if all is right, 0 in EvalScope and lmms-eval",
    )


YES_NO_ACCURACY = YesNo(
    info=_info("yes_no_accuracy", what="share of right answers to yes-or-no questions", binary=True),
    formula=accuracy,
)
YES_NO_F1 = YesNo(info=_info("yes_no_f1", what="F1 of the answer yes"), formula=f1)
YES_NO_PRECISION = YesNo(
    info=_info("yes_no_precision", what="share of answered yes that is right"), formula=precision
)
YES_NO_RECALL = YesNo(info=_info("yes_no_recall", what="share of true yes that is found"), formula=recall)
