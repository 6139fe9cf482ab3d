"""Scores a chunk of samples under every metric: answers, the worst value where there is none, and the gate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from vlmhb_benchmarks.extraction import Extracted, Extraction
from vlmhb_benchmarks.metrics.batch import ScoreColumns

from vlmhb_stages.contracts import Prediction, Score
from vlmhb_stages.evaluate.cases import Case
from vlmhb_stages.evaluate.columns import Piece, merge, take
from vlmhb_stages.evaluate.records import is_answered
from vlmhb_stages.evaluate.scorers import Scorer


@dataclass(frozen=True, kw_only=True)
class JudgedChunk:
    """Scores by metric, one row a case. Where there is no answer they are those of a missing one.

    `gated`: rows whose structure is invalid; `counted` has them as missing, `scored` as the texts they are."""

    cases: Sequence[Case]
    extracted: Sequence[Extracted | None]  # None: not answered
    scored: Sequence[ScoreColumns]
    counted: Sequence[ScoreColumns]
    gated: frozenset[int]
    has_gate: bool
    values: Sequence[Sequence[float]] = field(init=False)  # of `scored`, as Python's floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", [columns.values.tolist() for columns in self.scored])

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def answered(self) -> list[bool]:
        return [extracted is not None for extracted in self.extracted]

    def samples(self) -> Iterator[Judged]:
        return (Judged(chunk=self, row=row) for row in range(len(self.cases)))


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One sample of a chunk: what was scored of its reply, and its scores (a gated text has those of the text)."""

    chunk: JudgedChunk
    row: int

    @property
    def sample(self) -> Case:
        return self.chunk.cases[self.row]

    @property
    def prediction(self) -> Prediction:
        return self.sample.prediction

    @property
    def references(self) -> tuple[str, ...]:
        return self.sample.references

    @property
    def extracted(self) -> Extracted | None:
        return self.chunk.extracted[self.row]

    @property
    def answered(self) -> bool:
        return self.extracted is not None

    @property
    def gated(self) -> bool | None:
        """True: the structure is invalid. None: there is no gate, or no answer."""
        return self.row in self.chunk.gated if self.chunk.has_gate and self.answered else None

    def value(self, index: int) -> float | None:
        value = self.chunk.values[index][self.row]
        return None if math.isnan(value) else value

    def record(self, names: Sequence[str], *, primary: int, whole_reply: bool) -> Score:
        """The line of `scores.jsonl`. Failures have no scores: they are states, not wrong answers.

        `extracted` is null where the whole reply was scored: it stands in predictions.jsonl."""
        extracted = self.extracted
        values = (self.value(index) if extracted else None for index in range(len(names)))
        matched = None
        if extracted and names and self.value(primary) is not None:
            matched = self.chunk.scored[primary].matched[self.row]
        return Score.model_construct(
            sample_id=self.sample.sample_id,
            scores=dict(zip(names, values, strict=True)),
            matched_reference=matched,
            extracted=extracted.text if extracted and not whole_reply else None,
            status=self.prediction.status,
            gated=self.gated,
        )


@dataclass(frozen=True, kw_only=True)
class Judge:
    """`gate` is the index of the metric of structure, if there is one."""

    scorers: Sequence[Scorer]
    extraction: Extraction
    gate: int | None = None

    def judge(self, cases: Sequence[Case]) -> JudgedChunk:
        extracted = [self._extract(case) for case in cases]
        said = [row for row, found in enumerate(extracted) if found is not None]
        silent = [row for row, found in enumerate(extracted) if found is None]
        texts = [found.text for found in extracted if found is not None]
        asked = [cases[row] for row in said]
        scored = [
            merge(
                len(cases),
                (
                    Piece(rows=said, columns=scorer.answered(texts, asked)),
                    Piece(rows=silent, columns=scorer.missing([cases[row] for row in silent])),
                ),
            )
            for scorer in self.scorers
        ]
        gated = self._gated(scored, said=said)
        return JudgedChunk(
            cases=cases,
            extracted=extracted,
            scored=scored,
            counted=self._counted(cases, scored, gated=gated),
            gated=frozenset(gated),
            has_gate=self.gate is not None,
        )

    def _extract(self, case: Case) -> Extracted | None:
        if not is_answered(case.prediction):
            return None
        return self.extraction.rule(case.prediction.text or "", case.context)

    def _gated(self, scored: Sequence[ScoreColumns], *, said: Sequence[int]) -> list[int]:
        """Answered rows below 1 under the gate. Where the gate itself is undefined, it is open."""
        if self.gate is None:
            return []
        values = scored[self.gate].values.tolist()
        return [row for row in said if values[row] < 1.0]  # NaN is not below

    def _counted(
        self, cases: Sequence[Case], scored: Sequence[ScoreColumns], *, gated: Sequence[int]
    ) -> list[ScoreColumns]:
        if not gated:
            return list(scored)
        others = sorted(set(range(len(cases))) - set(gated))
        return [
            columns
            if index == self.gate
            else merge(
                len(cases),
                (
                    take(columns, others),
                    Piece(rows=gated, columns=scorer.missing([cases[row] for row in gated])),
                ),
            )
            for index, (scorer, columns) in enumerate(zip(self.scorers, scored, strict=True))
        ]
