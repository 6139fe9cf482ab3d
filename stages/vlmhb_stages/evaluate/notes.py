"""Collects what a reader of the numbers must know, and says it in a line each: metrics.json's warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vlmhb_benchmarks.extraction import Extraction
from vlmhb_benchmarks.metrics.base import Flag

from vlmhb_stages.contracts import ExtractionRate
from vlmhb_stages.evaluate.csvtext import is_formula
from vlmhb_stages.evaluate.faults import Sightings
from vlmhb_stages.evaluate.judge import JudgedChunk

WHY: dict[Flag, str] = {
    "no_reference": "undefined, no reference",
    "empty_reference": "undefined, the reference is empty",
    "invalid_reference": "undefined, the reference is not in the form that the metric reads",
    "invalid_json": "no JSON in the answer, all fields count as missed",
    "invalid_structure": "the structure of the answer is invalid",
    "no_schema": "there is no schema to check against, scored is whether the answer holds JSON",
    "unscored": "undefined, its backend gave no value",
    "unknown_type": "undefined, no rule for the type of the question",
}


class Notes:
    """Samples by what is odd about them, in planned order."""

    def __init__(self, names: Sequence[str], *, extraction: Extraction, gate: str | None) -> None:
        self._names, self._extraction, self._gate = names, extraction, gate
        self._flags: dict[tuple[str, Flag], Sightings] = {}
        self._truncated, self._textless = Sightings(), Sightings()
        self._unmarked, self._gated, self._formulas = Sightings(), Sightings(), Sightings()
        self._answered = 0
        self.extra: list[str] = []  # whole lines, said as they are

    def add(self, chunk: JudgedChunk) -> None:
        ids = [case.sample_id for case in chunk.cases]
        for name, columns in zip(self._names, chunk.scored, strict=True):
            for row, flag in sorted(columns.flags.items()):
                if flag != "failed":  # said with its message elsewhere
                    self._flags.setdefault((name, flag), Sightings()).add(ids[row])
        for row, (case, extracted) in enumerate(zip(chunk.cases, chunk.extracted, strict=True)):
            if extracted is None:
                if case.prediction.status == "ok":
                    self._textless.add(ids[row])
                continue
            self._answered += 1
            if is_formula(case.prediction.text or ""):
                self._formulas.add(ids[row])
            if not extracted.found:
                self._unmarked.add(ids[row])
            if case.prediction.status == "truncated":
                self._truncated.add(ids[row])
            if row in chunk.gated:
                self._gated.add(ids[row])

    def extraction_rate(self) -> ExtractionRate | None:
        """None where the whole reply is the answer: such a rule cannot miss."""
        rule = self._extraction
        if rule.name == "none":
            return None
        return ExtractionRate(
            name=rule.name, version=rule.version, answered=self._answered, misses=self._unmarked.count
        )

    def lines(self) -> Iterator[str]:
        yield from self.extra
        if self._truncated:
            yield f"truncated answers, scored as they are: {self._truncated}"
        if self._textless:
            yield f"records without a text, counted as errors: {self._textless}"
        if self._unmarked:
            rule = self._extraction
            yield f"answers in which {rule.name} finds nothing, scored is {rule.on_miss}: {self._unmarked}"
        if self._gated:
            yield (
                f"answers below 1 under {self._gate}, missing under all other metrics "
                f"(`ungated` has their texts scored): {self._gated}"
            )
        if self._formulas:
            yield f"answers that a spreadsheet would compute, so open legacy/ as text there: {self._formulas}"
        for (name, flag), seen in self._flags.items():
            yield f"{name}: {WHY[flag]}: {seen}"
