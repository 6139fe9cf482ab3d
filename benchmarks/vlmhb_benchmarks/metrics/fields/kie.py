"""Field-level F1, precision and recall of key-information extraction, over JSON answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from vlmhb_benchmarks.metrics.base import Flag, MetricInfo, SampleScore, mean_score, ratio, undefined
from vlmhb_benchmarks.metrics.fields.hits import (
    Fields,
    Hits,
    by_path,
    counted,
    f1,
    fields_of,
    precision,
    recall,
)
from vlmhb_benchmarks.metrics.fields.values import normalise_value
from vlmhb_benchmarks.metrics.json_answer import find_json
from vlmhb_benchmarks.metrics.text import collapse

_DONUT = "(key, value) pairs as in Kim et al. 2022 (Donut, arXiv:2111.15664)"
_EMPTY_RULE = (
    "no gold and no answered field: 1; answer without JSON, or missing: all fields missed, 0; "
    "empty text and null: no such field"
)
_SAYS_NOTHING = "; says nothing of what was not answered: a missing answer is 0 by itself and out of the pool"


class _Reference(NamedTuple):
    text: str
    fields: Fields


@dataclass(frozen=True, kw_only=True)
class KieScore:
    """Micro F1, precision or recall over the fields of all documents. Parts: `Hits`."""

    info: MetricInfo
    formula: Callable[[Hits], float | None]
    prepare: Callable[[str], str] = collapse  # of a value, before it is compared

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """The reference that gives the best F1 counts. No JSON in the answer: every field missed, flagged."""
        answer = self.read(prediction)
        if answer is None:
            score = self.missing(references)
            return replace(score, flag=score.flag or "invalid_json")
        return self._against(answer, references, answered=True)

    def missing(self, references: Sequence[str]) -> SampleScore:
        """All fields of the reference missed. References without a field do not count: silence is never right."""
        return self._against(Counter(), references, answered=False)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        """Precision of nothing answered is 0 where something was wanted; nothing at all is undefined."""
        hits = Hits(*totals)
        value = self.formula(hits)
        return 0.0 if value is None and any(hits) else value

    def by_field(self, prediction: str | None, references: Sequence[str]) -> Mapping[str, SampleScore]:
        """A field's path is its keys joined by `/`, list positions left out. Against the reference of `score`."""
        answer = None if prediction is None else self.read(prediction)
        chosen = _chosen(answer or Counter(), self._golds(references), answered=answer is not None)
        if chosen is None:
            return {}
        hits = by_path(answer or Counter(), chosen.fields)
        flag: Flag | None = "invalid_json" if answer is None and prediction is not None else None
        return {
            path: SampleScore(
                value=self.from_totals(found), parts=found, matched_reference=chosen.text, flag=flag
            )
            for path, found in hits.items()
        }

    def read(self, text: str) -> Fields | None:
        """The fields of an answer or a reference; None where it holds no JSON."""
        value = find_json(text)
        return None if value is None else fields_of(value, prepare=self.prepare)

    def _against(self, answer: Fields, references: Sequence[str], *, answered: bool) -> SampleScore:
        if not references:
            return undefined("no_reference")
        golds = self._golds(references)
        if not golds:
            return undefined("invalid_reference")
        chosen = _chosen(answer, golds, answered=answered)
        if chosen is None:
            return undefined("empty_reference")
        hits = counted(answer, chosen.fields)
        value = self.from_totals(hits) if any(hits) else 1.0
        return SampleScore(value=value, parts=tuple(hits), matched_reference=chosen.text)

    def _golds(self, references: Sequence[str]) -> list[_Reference]:
        golds = ((text, self.read(text)) for text in references)
        return [_Reference(text=text, fields=gold) for text, gold in golds if gold is not None]


def _chosen(answer: Fields, golds: Sequence[_Reference], *, answered: bool) -> _Reference | None:
    """The reference with the best F1, the first of equals; without an answer one that has a field."""

    def fit(reference: _Reference) -> float:
        value = f1(counted(answer, reference.fields))
        return 1.0 if value is None else value

    return max((gold for gold in golds if gold.fields or answered), key=fit, default=None)


@dataclass(frozen=True, kw_only=True)
class KieMean:
    """The mean of the documents' F1, which weighs a short document like a long one. Parts: value, 1."""

    info: MetricInfo
    micro: KieScore

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        return _as_mean(self.micro.score(prediction, references))

    def missing(self, references: Sequence[str]) -> SampleScore:
        """0, also where the document has no field: a mean counts documents, and a failure is no right answer."""
        score = self.micro.missing(references)
        if score.flag == "empty_reference":
            return mean_score(0.0, matched_reference=references[0])
        return _as_mean(score)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)

    def by_field(self, prediction: str | None, references: Sequence[str]) -> Mapping[str, SampleScore]:
        fields = self.micro.by_field(prediction, references)
        return {path: _as_mean(score) for path, score in fields.items()}


def _as_mean(score: SampleScore) -> SampleScore:
    return score if score.value is None else replace(score, parts=(score.value, 1.0))


def _info(name: str, *, what: str, source: str = _DONUT, empty_rule: str = _EMPTY_RULE) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description=what,
        source=source,
        empty_rule=empty_rule,
        average="micro",
    )


KIE_F1 = KieScore(
    info=_info(
        "kie_f1",
        what="field F1, micro: exact values, white space collapsed",
        source=f"micro F1 over {_DONUT}",
    ),
    formula=f1,
)
KIE_PRECISION = KieScore(
    info=_info(
        "kie_precision",
        what="share of answered fields that are right, micro",
        source=f"micro precision over {_DONUT}",
        empty_rule=_EMPTY_RULE + _SAYS_NOTHING,
    ),
    formula=precision,
)
KIE_RECALL = KieScore(
    info=_info(
        "kie_recall",
        what="share of gold fields that are right, micro",
        source=f"micro recall over {_DONUT}",
    ),
    formula=recall,
)
KIE_F1_NORM = KieScore(
    info=_info(
        "kie_f1_norm",
        what="field F1, micro: values after NFC, case folding, ё→е, quotes unified, one form of amounts and dates",
        source=f"micro F1 over {_DONUT}; value forms: own definition, docs/metrics-reference.md",
    ),
    formula=f1,
    prepare=normalise_value,
)
KIE_F1_MACRO = KieMean(
    info=replace(
        _info(
            "kie_f1_macro",
            what="mean of the documents' field F1: exact values, white space collapsed",
            source=f"mean over documents of F1 over {_DONUT}",
        ),
        average="mean",
    ),
    micro=KIE_F1,
)
