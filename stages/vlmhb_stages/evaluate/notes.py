"""Collects what a reader of the numbers must know, and says it in a line each: metrics.json's warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vlmhb_benchmarks.metrics import Metric
from vlmhb_benchmarks.metrics.base import Flag

from vlmhb_stages.evaluate.faults import some
from vlmhb_stages.evaluate.judge import Judged

_WHY: dict[Flag, str] = {
    "no_reference": "undefined, no reference",
    "empty_reference": "undefined, the reference is empty",
    "invalid_reference": "undefined, the reference is no JSON",
    "invalid_json": "no JSON in the answer, all fields count as missed",
}


class Notes:
    """Sample ids by what is odd about them, in planned order."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._names = [metric.info.name for metric in metrics]
        self._flags: dict[tuple[str, Flag], list[str]] = {}
        self._truncated: list[str] = []
        self._unmarked: list[str] = []
        self._textless: list[str] = []
        self.extra: list[str] = []  # whole lines, said as they are

    def add(self, judged: Judged) -> None:
        sample_id = judged.sample.sample_id
        for name, score in zip(self._names, judged.scores, strict=True):
            if score.flag:
                self._flags.setdefault((name, score.flag), []).append(sample_id)
        if judged.extracted and not judged.extracted.found:
            self._unmarked.append(sample_id)
        if judged.answered and judged.prediction.status == "truncated":
            self._truncated.append(sample_id)
        if not judged.answered and judged.prediction.status == "ok":
            self._textless.append(sample_id)

    def lines(self) -> Iterator[str]:
        yield from self.extra
        if self._truncated:
            yield f"truncated answers, scored as they are: {some(self._truncated)}"
        if self._textless:
            yield f"records without a text, counted as errors: {some(self._textless)}"
        if self._unmarked:
            yield f"answers without the expected marker, scored whole: {some(self._unmarked)}"
        for (name, flag), ids in self._flags.items():
            yield f"{name}: {_WHY[flag]}: {some(ids)}"
