"""The field F1 of CC-OCR's key-information track, with the traps of its official scorer."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlmhb_benchmarks.metrics.base import Flag, MetricInfo, SampleScore, undefined
from vlmhb_benchmarks.metrics.fields.hits import Fields, Hits, by_path, counted
from vlmhb_benchmarks.metrics.suites.literals import is_too_deep, value_of

_FENCE = re.compile(r"```json(.*?)```", re.DOTALL)
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    0x3000: ord(" "),
    ord("、"): ord(","),
}
_CJK = "\u4e00-\u9fff"
_BLANKS = (
    (re.compile(rf"(?<=[{_CJK}])\s+(?=[{_CJK}])"), ""),
    (re.compile(rf"(?<=[{_CJK}])\s+(?=[a-zA-Z0-9])"), ""),
    (re.compile(rf"(?<=[a-zA-Z0-9])\s+(?=[{_CJK}])"), ""),
    (re.compile(r"(?<![0-9])\s*([,.!?:;])\s*"), r"\1 "),
    (re.compile(r"(?<=[0-9])(?=[a-zA-Z])"), " "),
    (re.compile(r"(?<=[a-zA-Z])(?=[0-9])"), " "),
    (re.compile(r"\s+"), " "),
)
_NEVER_ZERO = 1e-6  # below the line of the official quotient


def normalise_value(text: str) -> str:
    """Full-width forms narrowed; blanks beside Chinese gone, one after punctuation, one between digit and letter."""
    narrow = text.translate(_HALF_WIDTH)
    for pattern, replacement in _BLANKS:
        narrow = pattern.sub(replacement, narrow)
    return narrow


def read_answer(text: str) -> Any | None:
    """The JSON of the first closed ```` ```json ```` block, else of the whole reply, line breaks taken out.

    None for an open block, text around bare JSON, single quotes: the official scorer reads none of them."""
    block = _FENCE.search(text)
    if block is None and "```json" in text:
        return None
    content = (block.group(1) if block else text).strip().replace("\n", "")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return None if is_too_deep(value) else value


def fields_of(value: Any) -> Fields:
    """(keys joined by a point, text) of every leaf; a list's items share its key, so it is not asked whose they are."""
    found: Fields = Counter()
    _collect(_listed(_normalised(value)), path="", found=found)
    return found


def _normalised(value: Any) -> Any:
    """Texts in lists stay as they are: the official function goes into dictionaries only."""
    if isinstance(value, dict):
        return {key: _normalised(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_normalised(item) if isinstance(item, dict) else item for item in value]
    return normalise_value(value) if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    """Donut's form: every value a list of stripped texts. An empty text stays a field, and null is the text None."""
    if isinstance(value, dict):
        children = {key: _listed(child) for key, child in value.items()}
        return {key: child for key, child in children.items() if child}
    if isinstance(value, list):
        if all(isinstance(item, dict) for item in value):
            return [item for item in map(_listed, value) if item]
        plain = (str(item).strip() for item in value if type(item) in (str, int, float))
        return [text for text in plain if text]
    return [str(value).strip()]


def _collect(value: Any, *, path: str, found: Fields) -> None:
    if isinstance(value, dict):
        for key, child in value.items():
            _collect(child, path=f"{path}.{key}" if path else str(key), found=found)
    elif isinstance(value, list):
        for child in value:
            _collect(child, path=path, found=found)
    else:
        found[path, value] += 1


@dataclass(frozen=True, kw_only=True)
class CcOcrKie:
    """Micro F1 over the documents of a subset. Parts: `Hits`."""

    info: MetricInfo

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        answer = read_answer(prediction)
        fields = fields_of({} if answer is None else answer)
        return self._against(fields, references, flag="invalid_json" if answer is None else None)

    def missing(self, references: Sequence[str]) -> SampleScore:
        return self._against(Counter(), references, flag=None)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        hits = Hits(*totals)
        return hits.right / (hits.right + (hits.wrong + hits.missed) / 2 + _NEVER_ZERO)

    def by_field(self, prediction: str | None, references: Sequence[str]) -> Mapping[str, SampleScore]:
        answer = None if prediction is None else read_answer(prediction)
        gold = value_of(references[0]) if references else None
        if not isinstance(gold, dict | list):
            return {}
        hits = by_path(fields_of({} if answer is None else answer), fields_of(gold))
        return {
            path: SampleScore(value=self.from_totals(found), parts=found, matched_reference=references[0])
            for path, found in hits.items()
        }

    def _against(self, fields: Fields, references: Sequence[str], *, flag: Flag | None) -> SampleScore:
        if not references:
            return undefined("no_reference")
        gold = value_of(references[0])
        if not isinstance(gold, dict | list):
            return undefined("invalid_reference")
        hits = counted(fields, fields_of(gold))
        return SampleScore(
            value=self.from_totals(hits), parts=tuple(hits), matched_reference=references[0], flag=flag
        )


CC_OCR_KIE = CcOcrKie(
    info=MetricInfo(
        name="cc_ocr_kie",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="field F1, micro, as CC-OCR's key-information track counts it; total: the mean of the subsets",
        source="Yang et al. 2024 (CC-OCR, arXiv:2412.02210), kie_evaluator.py, f1_score",
        empty_rule="an answer that cannot be read is an empty one; no field on either side: 0",
        average="micro",
        deviations=(
            "equal to the official scorer, traps included: an open ```json block, text around JSON and single quotes "
            "are 0 (lmms-eval closes the block); 100.00 as a number is the text 100.0; empty texts and null are "
            "fields; texts in lists are not normalised (lmms-eval does); Donut's tree accuracy is kie_ted. A reference "
            "that is a Python literal is read too; one that cannot be read is flagged (lmms-eval: empty)"
        ),
    )
)
