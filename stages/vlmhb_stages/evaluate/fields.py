"""Scores by field of key-information extraction: over all samples, and within each document type."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from vlmhb_benchmarks.metrics import SampleScore

from vlmhb_stages.evaluate.faults import some
from vlmhb_stages.evaluate.judge import Judged, JudgedChunk
from vlmhb_stages.evaluate.pool import FieldScores
from vlmhb_stages.evaluate.scorers import LocalScorer, Scorer
from vlmhb_stages.evaluate.table import Groups, Mask, Parts, Positions

FIELD = "field"
DOC_CLASS = "doc_class"
MAX_FIELDS = 200
MAX_SCOPES = 2 * MAX_FIELDS  # of fields, and of fields within a document type
_MAX_TRACKED = 5000  # names; a model can invent any number of them


@dataclass(frozen=True, kw_only=True)
class FieldParts:
    """One field under one metric. `data` has a row per sample that has the field; `positions` are their places."""

    metric: int
    data: Parts
    positions: Positions
    answered: Mask


@dataclass(frozen=True, kw_only=True)
class FieldScope:
    """What becomes one slice: a field, of all samples or of one document type."""

    key: str
    value: str
    metrics: tuple[FieldParts, ...]


class _Growing:
    def __init__(self) -> None:
        self.positions = array("q")
        self.answered = array("b")
        self.values = array("d")
        self.parts = array("d")

    def add(self, score: SampleScore, *, position: int, answered: bool) -> None:
        if score.value is not None and score.parts is not None:
            self.positions.append(position)
            self.answered.append(answered)
            self.values.append(score.value)
            self.parts.extend(score.parts)

    def freeze(self, metric: int) -> FieldParts:
        count = len(self.positions)
        return FieldParts(
            metric=metric,
            data=Parts(values=np.array(self.values), parts=np.array(self.parts).reshape(count, -1)),
            positions=np.array(self.positions, dtype=np.int64),
            answered=np.array(self.answered, dtype=bool),
        )


class FieldTable:
    """Filled chunk by chunk. Fields that only answers have are left out and told: they are in the whole's value."""

    def __init__(self, scorers: Sequence[Scorer]) -> None:
        self._scorers = {
            index: scorer
            for index, scorer in enumerate(scorers)
            if isinstance(scorer, LocalScorer) and scorer.has_fields
        }
        self._fields: dict[str, dict[int, _Growing]] = {}
        self._real: set[str] = set()  # fields of any reference
        self._untracked = 0

    def add(self, chunk: JudgedChunk) -> None:
        texts = [_counted(judged) for judged in chunk.samples()] if self._scorers else []
        for index, scorer in self._scorers.items():
            for judged, scores in zip(chunk.samples(), scorer.fields(texts, chunk.cases), strict=True):
                if not self._real.issuperset(scores):
                    self._learn(judged, scorer=scorer)
                self._add(judged, scores=scores, index=index)

    def _learn(self, judged: Judged, *, scorer: LocalScorer) -> None:
        """An answer without a text has the fields of the references and no others."""
        for scores in scorer.fields([None], [judged.sample]):
            self._real.update(scores)

    def _add(self, judged: Judged, *, scores: FieldScores, index: int) -> None:
        for name, score in scores.items():
            if score.value is None:
                continue
            if name not in self._fields and len(self._fields) >= _MAX_TRACKED and name not in self._real:
                self._untracked += 1
                continue
            growing = self._fields.setdefault(name, {}).setdefault(index, _Growing())
            growing.add(score, position=judged.sample.position, answered=judged.answered)

    def warnings(self) -> Iterator[str]:
        if invented := some(sorted(name for name in self._fields if name not in self._real)):
            yield f"fields that no label has, in the whole's value only: {invented}"
        if self._untracked:
            yield f"more than {_MAX_TRACKED} fields that no label has: {self._untracked} answers to them not told"
        if len(self._real) > MAX_FIELDS:
            yield f"{len(self._real)} fields, only the {MAX_FIELDS} most frequent are told one by one"

    def scopes(self, *, doc_class: Groups | None) -> Iterator[FieldScope]:
        """Fields by name, then fields by document type and name where there are several types."""
        frozen = {
            name: tuple(growing.freeze(index) for index, growing in self._fields[name].items())
            for name in self._told()
        }
        for name, metrics in frozen.items():
            yield FieldScope(key=FIELD, value=name, metrics=metrics)
        if doc_class is not None and len(doc_class.names) > 1:
            yield from _by_class(frozen, doc_class=doc_class)

    def _told(self) -> list[str]:
        def frequency(name: str) -> int:
            return max(len(growing.positions) for growing in self._fields[name].values())

        known = [name for name in self._fields if name in self._real]
        return sorted(sorted(known, key=lambda name: (-frequency(name), name))[:MAX_FIELDS])


def _counted(judged: Judged) -> str | None:
    """None for an answer that counts as missing."""
    return judged.extracted.text if judged.extracted and not judged.gated else None


def _by_class(fields: dict[str, tuple[FieldParts, ...]], *, doc_class: Groups) -> Iterator[FieldScope]:
    found: dict[tuple[str, str], list[FieldParts]] = {}
    for name, metrics in fields.items():
        for one in metrics:
            codes = doc_class.codes[one.positions]
            for code in np.unique(codes[codes >= 0]).tolist():
                found.setdefault((doc_class.names[code], name), []).append(_rows(one, codes == code))
    for (kind, name), parts in sorted(found.items(), key=lambda item: item[0]):
        yield FieldScope(key=f"{DOC_CLASS}/{FIELD}", value=f"{kind}/{name}", metrics=tuple(parts))


def _rows(one: FieldParts, chosen: Mask) -> FieldParts:
    return FieldParts(
        metric=one.metric,
        data=Parts(values=one.data.values[chosen], parts=one.data.parts[chosen]),
        positions=one.positions[chosen],
        answered=one.answered[chosen],
    )
