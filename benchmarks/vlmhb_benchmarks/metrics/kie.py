"""Field-level micro F1, precision and recall of key-information extraction, over JSON answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, best, undefined
from vlmhb_benchmarks.metrics.json_answer import find_json
from vlmhb_benchmarks.metrics.text import collapse

Fields = Counter[tuple[str, str]]


class Hits(NamedTuple):
    """Fields right, fields answered wrongly or invented, fields missed. Additive."""

    right: float
    wrong: float
    missed: float


def f1(hits: Hits) -> float | None:
    total = 2 * hits.right + hits.wrong + hits.missed
    return 2 * hits.right / total if total else None


def precision(hits: Hits) -> float | None:
    answered = hits.right + hits.wrong
    return hits.right / answered if answered else None


def recall(hits: Hits) -> float | None:
    wanted = hits.right + hits.missed
    return hits.right / wanted if wanted else None


def fields_of(value: Any) -> Fields:
    """(path, text) of every leaf with a text. List positions are not part of a path, so order does not count.

    The prototype's gold `{"fields": {name: {"value": text, "bboxes": ...}}}` is read as `{name: text}`."""
    if isinstance(value, dict) and isinstance(value.get("fields"), dict):
        value = value["fields"]
    return Counter(_leaves(value, path=""))


def _leaves(value: Any, *, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and "value" in value and "bboxes" in value:
        yield from _leaves(value["value"], path=path)
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, path=f"{path}/{collapse(str(key))}")
    elif isinstance(value, list):
        for child in value:
            yield from _leaves(child, path=path)
    elif text := _leaf_text(value):
        yield path, text


def _leaf_text(value: Any) -> str:
    """An empty text and null both mean that there is no such field."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return collapse(str(value))


@dataclass(frozen=True, kw_only=True)
class KieScore:
    """Micro F1, precision or recall over the fields of all documents. Parts: `Hits`."""

    info: MetricInfo
    formula: Callable[[Hits], float | None]

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """The reference that gives the best F1 counts. No JSON in the answer: every field missed, flagged."""
        if not references:
            return undefined("no_reference")
        answer = find_json(prediction)
        if answer is None:
            score = self.missing(references)
            flag = score.flag or "invalid_json"
            return SampleScore(
                value=score.value, parts=score.parts, matched_reference=score.matched_reference, flag=flag
            )
        return self._best(fields_of(answer), references)

    def missing(self, references: Sequence[str]) -> SampleScore:
        """All fields of the reference missed. References without a field do not count: silence is never right."""
        if not references:
            return undefined("no_reference")
        return self._best(Counter(), references, answered=False)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        """Precision of nothing answered is 0 where something was wanted; nothing at all is undefined."""
        hits = Hits(*totals)
        value = self.formula(hits)
        return 0.0 if value is None and any(hits) else value

    def _best(self, answer: Fields, references: Sequence[str], *, answered: bool = True) -> SampleScore:
        golds = ((text, find_json(text)) for text in references)
        valid = [(text, fields_of(gold)) for text, gold in golds if gold is not None]
        if not valid:
            return undefined("invalid_reference")
        usable = [(text, fields) for text, fields in valid if fields or answered]
        chosen = best(
            (_compare(answer, fields, reference=text) for text, fields in usable), key=lambda value: value
        )
        if chosen is None or chosen.parts is None:
            return undefined("empty_reference")
        value = self.from_totals(chosen.parts) if any(chosen.parts) else 1.0
        return SampleScore(value=value, parts=chosen.parts, matched_reference=chosen.matched_reference)


def _compare(answer: Fields, gold: Fields, *, reference: str) -> SampleScore:
    right = (answer & gold).total()
    hits = Hits(right=float(right), wrong=float(answer.total() - right), missed=float(gold.total() - right))
    value = f1(hits)
    return SampleScore(value=1.0 if value is None else value, parts=tuple(hits), matched_reference=reference)


def _info(name: Literal["kie_f1", "kie_precision", "kie_recall"], *, what: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description=what,
        source="micro F1 over (key, value) pairs as in Kim et al. 2022 (Donut, arXiv:2111.15664)",
        empty_rule="no gold and no answered field: 1; answer without JSON, or missing: all fields missed, 0",
    )


KIE_F1 = KieScore(
    info=_info("kie_f1", what="field F1, micro: exact values, white space collapsed"), formula=f1
)
KIE_PRECISION = KieScore(
    info=_info("kie_precision", what="share of answered fields that are right"), formula=precision
)
KIE_RECALL = KieScore(info=_info("kie_recall", what="share of gold fields that are right"), formula=recall)
