"""Writes upstream's answers and metrics CSVs with our metrics: joined by id, only answered samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from types import TracebackType

from vlmhb_benchmarks.metrics import Metric

from vlmhb_stages.evaluate.cases import Case
from vlmhb_stages.evaluate.csvtext import Annotation, CsvFile, number
from vlmhb_stages.evaluate.judge import JudgedChunk

GROUPS: dict[str, tuple[str, ...]] = {
    "by_doc_question": ("doc_class", "question_type"),
    "by_doc_type": ("doc_class",),
}


@dataclass(frozen=True, kw_only=True)
class LegacyMetric:
    """A metric that upstream has, and what its columns are called there."""

    name: str
    column: str
    group_column: str


LEGACY_METRICS = (
    LegacyMetric(name="wer", column="wer_error", group_column="wer_error"),
    LegacyMetric(name="cer", column="cer_error", group_column="cer_error"),
    LegacyMetric(name="bleu", column="bleu_score", group_column="bleu_error"),
)


def requested(names: Sequence[str]) -> tuple[LegacyMetric, ...]:
    """Those of upstream's metrics that were asked for, always in upstream's order."""
    return tuple(metric for metric in LEGACY_METRICS if metric.name in names)


@dataclass(frozen=True, kw_only=True)
class LegacyPlace:
    """Where the files go and which are wanted."""

    folder: Path
    stem: str
    aggregators: Sequence[str]

    def path(self, aggregator: str | None = None) -> Path:
        return self.folder / (f"{self.stem}_{aggregator}.csv" if aggregator else f"{self.stem}.csv")


class Totals:
    """Running sums of parts, one list per metric."""

    def __init__(self, count: int) -> None:
        self._sums: list[list[float] | None] = [None] * count

    def add(self, parts: Sequence[Sequence[float] | None]) -> None:
        for index, new in enumerate(parts):
            old = self._sums[index]
            if new is not None:
                self._sums[index] = (
                    list(new) if old is None else [a + b for a, b in zip(old, new, strict=True)]
                )

    def values(self, metrics: Sequence[Metric]) -> list[str]:
        return [
            number(None if sums is None else metric.from_totals(sums))
            for metric, sums in zip(metrics, self._sums, strict=True)
        ]


class LegacyWriter:
    """Takes judged samples in planned order; the grouped files are written when it closes.

    Texts are scored as texts, a gate or not: upstream has none."""

    def __init__(
        self,
        place: LegacyPlace,
        *,
        metrics: Sequence[Metric],
        annotation: Annotation | None,
        keys: Sequence[str],
    ) -> None:
        """`keys` are the metadata columns of by_id where there is no annotation file."""
        place.folder.mkdir(parents=True, exist_ok=True)
        self._place, self._annotation, self._keys = place, annotation, tuple(keys)
        names = [metric.info.name for metric in metrics]
        self._legacy = requested(names)
        self._indices = [names.index(legacy.name) for legacy in self._legacy]
        self._metrics = [metrics[index] for index in self._indices]
        self._general = Totals(len(self._metrics))
        self._groups: dict[str, dict[tuple[str, ...], Totals]] = {
            name: {} for name in GROUPS if name in place.aggregators
        }
        self._stack = ExitStack()
        self._answers = self._stack.enter_context(CsvFile(place.path(), header=("id", "model_answer")))
        self._by_id = (
            self._stack.enter_context(CsvFile(place.path("by_id"), header=self._by_id_header()))
            if "by_id" in place.aggregators
            else None
        )

    def __enter__(self) -> LegacyWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        if error is None:
            self._write_groups()
            self._write_general()

    def add(self, chunk: JudgedChunk) -> None:
        """Upstream's files have no row for a sample without an answer."""
        values = [chunk.values[index] for index in self._indices]
        parts = [chunk.scored[index].parts.tolist() for index in self._indices]
        for row, (case, extracted) in enumerate(zip(chunk.cases, chunk.extracted, strict=True)):
            if extracted is None:
                continue
            found = [None if isnan(column[row]) else column[row] for column in values]
            self._write_row(case, found)
            self._pool(
                case,
                [None if value is None else column[row] for value, column in zip(found, parts, strict=True)],
            )

    def _write_row(self, case: Case, values: Sequence[float | None]) -> None:
        start = (case.sample_id, case.prediction.text or "")
        self._answers.write(start)
        if self._by_id:
            self._by_id.write((*start, *self._context(case), *map(number, values)))

    def _pool(self, case: Case, parts: Sequence[Sequence[float] | None]) -> None:
        self._general.add(parts)
        metadata = case.metadata
        for name, groups in self._groups.items():
            key = tuple(metadata.get(column, "") for column in GROUPS[name])
            if not all(key):
                continue
            if key not in groups:
                groups[key] = Totals(len(self._metrics))
            groups[key].add(parts)

    def _by_id_header(self) -> list[str]:
        context = without_id(self._annotation.header) if self._annotation else ["answer", *self._keys]
        return ["id", "model_answer", *context, *(metric.column for metric in self._legacy)]

    def _context(self, case: Case) -> list[str]:
        if self._annotation:
            row = self._annotation.rows[self._annotation.position(case.sample_id)]
            return [cell for name, cell in zip(self._annotation.header, row, strict=True) if name != "id"]
        metadata = case.metadata
        return [_answer_cell(case.references), *(metadata.get(key, "") for key in self._keys)]

    def _write_groups(self) -> None:
        for name, groups in self._groups.items():
            header = [*GROUPS[name], *(metric.group_column for metric in self._legacy)]
            with CsvFile(self._place.path(name), header=header) as file:
                for key in sorted(groups):
                    file.write((*key, *groups[key].values(self._metrics)))

    def _write_general(self) -> None:
        if "general" not in self._place.aggregators:
            return
        with CsvFile(self._place.path("general"), header=[metric.column for metric in self._legacy]) as file:
            if self._metrics:
                file.write(self._general.values(self._metrics))


def without_id(header: Sequence[str]) -> list[str]:
    """Upstream overwrites an `id` column of the annotation by the row's position."""
    return [name for name in header if name != "id"]


def _answer_cell(references: Sequence[str]) -> str:
    return references[0] if len(references) == 1 else json.dumps(list(references), ensure_ascii=False)
