"""Normalised edit distances over sequences that are not plain text: blocks in reading order, LaTeX formulas."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlmhb_benchmarks.metrics.base import MeanMetric, MetricInfo, SampleScore, undefined
from vlmhb_benchmarks.metrics.distance import levenshtein
from vlmhb_benchmarks.metrics.json_answer import find_json
from vlmhb_benchmarks.metrics.layout.formula import normalise_formula
from vlmhb_benchmarks.metrics.text import is_blank

_SEPARATORS = re.compile(r"[\s,;>\[\]()]+|->|→")


def read_blocks(text: str) -> tuple[str, ...]:
    """Block names in order: a JSON list (nested ones flattened), or names between blanks, commas, `;`, `>`, `→`."""
    value = find_json(text)
    if isinstance(value, list):
        flat = [item for child in value for item in (child if isinstance(child, list) else [child])]
        return tuple(str(item).strip() for item in flat)
    return tuple(part for part in _SEPARATORS.split(text) if part)


@dataclass(frozen=True, kw_only=True)
class EditRate(MeanMetric):
    """Edits over the longer sequence, both after `prepare`; the nearest reference counts."""

    prepare: Callable[[str], Sequence[str]]

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        real = [text for text in references if not is_blank(text)]
        if references and not real:
            return undefined("empty_reference")
        return super().score(prediction, real)

    def missing(self, references: Sequence[str]) -> SampleScore:
        real = [text for text in references if not is_blank(text)]
        return undefined("empty_reference") if references and not real else super().missing(real)

    def compare(self, prediction: str, reference: str) -> float:
        answer, gold = self.prepare(prediction), self.prepare(reference)
        longest = max(len(answer), len(gold))
        return levenshtein(answer, gold) / longest if longest else 0.0


def _info(name: str, *, what: str, source: str, deviations: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="lower",
        lowest=0.0,
        highest=1.0,
        description=what,
        source=source,
        empty_rule="blank reference: undefined; both without content: 0; empty or missing answer: 1",
        deviations=deviations,
    )


READING_ORDER = EditRate(
    info=_info(
        "reading_order",
        what="edits between two sequences of blocks over the longer one",
        source="Ouyang et al. 2024 (OmniDocBench, arXiv:2412.07626), reading order edit distance",
        deviations="takes the sequences as given (JSON list or separated names); OmniDocBench makes them from its "
        "match of predicted to gold blocks",
    ),
    prepare=read_blocks,
)
FORMULA_EDIT = EditRate(
    info=_info(
        "formula_edit",
        what="edits between two LaTeX formulas over the longer one, after OmniDocBench's normalisation",
        source="OmniDocBench v1.5, normalized_formula and Edit_dist",
        deviations="a Markdown fence is taken off, `\\(…\\)` is a delimiter too, and all white space goes "
        "(OmniDocBench: blanks only); CDM is not computed",
    ),
    prepare=normalise_formula,
)
