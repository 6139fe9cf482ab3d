"""The prototype's field accuracy: the share of a document's gold fields that are answered to the letter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from vlmhb_benchmarks.metrics.base import Flag, MetricInfo, SampleScore, mean_score, ratio, undefined
from vlmhb_benchmarks.metrics.fields.hits import leaf_text
from vlmhb_benchmarks.metrics.json_answer import find_json


class _Judged(NamedTuple):
    reference: str
    fields: Mapping[str, bool]  # gold field -> right

    @property
    def share(self) -> float:
        """No gold field: nothing can be wrong, 1."""
        return sum(self.fields.values()) / len(self.fields) if self.fields else 1.0


@dataclass(frozen=True, kw_only=True)
class FieldAccuracy:
    """The mean over documents of right fields / gold fields; the best reference counts. Parts: value, 1."""

    info: MetricInfo

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        answer = _fields(find_json(prediction))
        if answer is None:
            return self._judge({}, references, flag="invalid_json")
        return self._judge(answer, references, flag=None)

    def missing(self, references: Sequence[str]) -> SampleScore:
        """0, though a gold field without a text would equal an answer that is not there."""
        return self._judge({}, references, flag=None, missing=True)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)

    def by_field(self, prediction: str | None, references: Sequence[str]) -> Mapping[str, SampleScore]:
        answer = None if prediction is None else _fields(find_json(prediction))
        chosen = max(_judged(answer or {}, references), key=lambda judged: judged.share, default=None)
        if chosen is None:
            return {}
        return {
            name: mean_score(float(right and answer is not None), matched_reference=chosen.reference)
            for name, right in sorted(chosen.fields.items())
        }

    def _judge(
        self,
        answer: Mapping[str, Any],
        references: Sequence[str],
        *,
        flag: Flag | None,
        missing: bool = False,
    ) -> SampleScore:
        if not references:
            return undefined("no_reference")
        chosen = max(_judged(answer, references), key=lambda judged: judged.share, default=None)
        if chosen is None:
            return undefined("invalid_reference")
        value = 0.0 if missing or flag == "invalid_json" else chosen.share
        return SampleScore(value=value, parts=(value, 1.0), matched_reference=chosen.reference, flag=flag)


def _judged(answer: Mapping[str, Any], references: Sequence[str]) -> Iterator[_Judged]:
    for text in references:
        gold = _fields(find_json(text))
        if gold is not None:
            right = {name: _text(value) == _text(answer.get(name)) for name, value in gold.items()}
            yield _Judged(reference=text, fields=right)


def _fields(value: Any) -> Mapping[str, Any] | None:
    """`{"fields": {...}}` or the fields themselves; None for anything else, a list too."""
    fields = value.get("fields", value) if isinstance(value, dict) else None
    return fields if isinstance(fields, dict) else None


def _text(field: Any) -> str:
    """A field is a text or `{"value": text, ...}`; one that is not there has the text ''."""
    return leaf_text(field.get("value") if isinstance(field, dict) else field).strip()


FIELD_ACCURACY = FieldAccuracy(
    info=MetricInfo(
        name="field_accuracy",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="share of gold fields whose stripped text is equal; fields beyond the gold cost nothing",
        source="VLMHyperBench metric registry 0.1.0, FieldAccuracy",
        empty_rule="no gold field: 1; gold field with an empty text: right if it is not answered; no JSON: 0",
        deviations=(
            "gold without the wrapper 'fields' is read as the fields themselves (there: no field, 1); numbers are "
            "compared as written; null is an empty text; any code fence and text around the JSON is forgiven"
        ),
    )
)
