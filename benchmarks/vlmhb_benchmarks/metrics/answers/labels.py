"""Accuracy of labels: multiple choice by letter or by the text of the choice, classes by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vlmhb_benchmarks.metrics.base import Context, MeanMetric, Metric, MetricInfo
from vlmhb_benchmarks.metrics.text import normalise

_FRAME = "()[]{}<>.,:;*\"'!"


def bare(text: str) -> str:
    """A label without what models set around it: `(B)`, `B.` and `**B**` are `b`."""
    plain = normalise(text)
    return plain.strip(_FRAME + " ") or plain


@dataclass(frozen=True, kw_only=True)
class Accuracy(MeanMetric):
    """1 if answer and reference name the same label. With `choices`, a letter and its choice's text are one."""

    choices: tuple[str, ...] = ()

    def in_context(self, context: Context) -> Metric:
        return replace(self, choices=context.choices) if context.choices else self

    def compare(self, prediction: str, reference: str) -> float:
        return 1.0 if self._label(prediction) == self._label(reference) else 0.0

    def _label(self, text: str) -> str | int:
        """The position of the choice that `text` names, by letter first; else the bare text."""
        label = bare(text)
        texts = [bare(choice) for choice in self.choices]
        letters = [chr(ord("a") + position) for position in range(min(len(texts), 26))]
        if label in letters:
            label = texts[letters.index(label)]  # two choices with one text are one choice
        return texts.index(label) if label in texts else label


ACCURACY = Accuracy(
    info=MetricInfo(
        name="accuracy",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="1 if the answer names the label of a reference, by letter or by the choice's text",
        source="definition; letters and texts of choices as in MMBench (Liu et al. 2023, arXiv:2307.06281)",
        empty_rule="both empty: 1; one of them empty: 0; missing answer: 0",
        binary=True,
        deviations="takes a label, not a reply: the letter is found by extraction choice_letter or mmmu, "
        "while VLMEvalKit, lmms-eval and EvalScope each search the reply inside their metric",
    )
)
