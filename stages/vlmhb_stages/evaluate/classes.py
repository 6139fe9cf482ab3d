"""Writes the prototype's classification and page-sorting CSVs: results, confusion matrix and class report by subset."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from vlmhb_benchmarks.metrics.classes.labels import class_of
from vlmhb_benchmarks.metrics.ranking import (
    KENDALL_TAU_UPSTREAM,
    PAGE_ACCURACY_UPSTREAM,
    RANKING_METRICS,
    SPEARMAN_RHO_UPSTREAM,
)
from vlmhb_benchmarks.metrics.ranking.orders import read_order

from vlmhb_stages.evaluate.class_report import DIGITS, RESULTS, Answer, ClassTable
from vlmhb_stages.evaluate.judge import Judged, JudgedChunk
from vlmhb_stages.evaluate.legacy import LegacyPlace

ALL = "all"  # the subset of samples whose metadata name none
OVERALL = "overall"
MAX_ANSWERS = (
    10_000  # different answers kept by name, right ones and listed classes beyond; the others are `None`
)

_SORTING = {
    "kendall_tau": KENDALL_TAU_UPSTREAM,
    "accuracy": PAGE_ACCURACY_UPSTREAM,
    "spearman_rho": SPEARMAN_RHO_UPSTREAM,
}
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, kw_only=True)
class Subset:
    """What has been added of one subset: answers by class, and values of page orders by column."""

    answers: Counter[Answer] = field(default_factory=Counter)
    orders: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in _SORTING})


class ClassTables:
    """Takes judged samples; the files are written when it closes. Without a metric of the kind it writes nothing.

    File names are the prototype's, with the stem of the other legacy files as run id."""

    def __init__(self, place: LegacyPlace, *, metrics: Iterable[str]) -> None:
        names = set(metrics)
        self._place = place
        self._classes = any(name.startswith("class_") for name in names)
        self._orders = not names.isdisjoint(metric.info.name for metric in RANKING_METRICS)
        self._subsets: dict[str, Subset] = {}
        self._names: dict[
            str, str
        ] = {}  # by normalised name: the class as the prompt or a reference writes it
        self._listed: dict[str, None] = {}  # classes of the prompts, in their order
        self._choices: set[tuple[str, ...]] = set()
        self._seen: set[str] = set()

    def __enter__(self) -> ClassTables:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._write()

    def add(self, chunk: JudgedChunk) -> None:
        if self._classes or self._orders:
            for judged in chunk.samples():
                self._add(judged)

    def _add(self, judged: Judged) -> None:
        subset = self._subsets.setdefault(judged.sample.metadata.get("subset") or ALL, Subset())
        text = judged.extracted.text if judged.extracted else ""
        if self._classes:
            choices = judged.sample.context.choices
            self._add_class(subset, text, references=judged.references, choices=choices)
        if self._orders:
            _add_order(subset, text, references=judged.references)

    def _add_class(
        self, subset: Subset, text: str, *, references: Sequence[str], choices: tuple[str, ...]
    ) -> None:
        """A sample without a reference has no right class, so it stands in no table."""
        if choices not in self._choices:
            self._choices.add(choices)
            self._listed.update(dict.fromkeys(map(class_of, choices)))
            self._names.update({class_of(choice): choice.strip() for choice in choices})
        named = {class_of(one, choices=choices): one for one in reversed(references) if class_of(one)}
        if not named:
            return
        given = class_of(text, choices=choices)
        right = given if given in named else class_of(_first(references), choices=choices)
        self._names.setdefault(right, named[right].strip())
        if len(self._seen) < MAX_ANSWERS or given in named or given in self._listed:
            self._seen.add(given)
        subset.answers[Answer(right=right, given=given if given in self._seen else "")] += 1

    def _write(self) -> None:
        if not self._subsets:
            return
        self._place.folder.mkdir(parents=True, exist_ok=True)
        parts = _file_parts(self._subsets)
        if self._classes:
            self._write_classes(parts)
        if self._orders:
            self._write_orders(parts)

    def _write_classes(self, parts: dict[str, str]) -> None:
        rights = {answer.right for subset in self._subsets.values() for answer in subset.answers}
        labels = [*self._listed, *sorted(rights - set(self._listed))]
        rows = []
        total: Counter[Answer] = Counter()
        for name, subset in self._subsets.items():
            if not subset.answers:
                continue
            total.update(subset.answers)
            table = ClassTable(subset.answers, labels=labels, names=self._names)
            rows.append(table.results())
            self._save(f"{parts[name]}_classification_results", [RESULTS, table.results()])
            self._save(f"{parts[name]}_confusion_matrix", table.confusion())
            self._save(f"{parts[name]}_class_report", table.report())
        if total:
            table = ClassTable(total, labels=labels, names=self._names)
            self._save(f"{OVERALL}_class_report", table.report())
            self._save("final_classification_results", [RESULTS, *rows])

    def _write_orders(self, parts: dict[str, str]) -> None:
        rows = []
        for name, subset in self._subsets.items():
            if any(subset.orders.values()):
                rows.append([_mean(values) for values in subset.orders.values()])
                self._save(f"{parts[name]}_page_sorting_results", [list(_SORTING), rows[-1]])
        if rows:
            self._save("final_page_sorting_results", [list(_SORTING), *rows])

    def _save(self, suffix: str, rows: Iterable[Sequence[str]]) -> None:
        """As pandas writes a frame: commas, UTF-8 without BOM, LF, quotes where needed."""
        path: Path = self._place.path(suffix)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def _add_order(subset: Subset, text: str, *, references: Sequence[str]) -> None:
    """As in the prototype an unreadable answer is skipped here; the metrics count it as 0."""
    if read_order(text) is None:
        return
    for name, metric in _SORTING.items():
        value = metric.score(text, references).value
        if value is not None:
            subset.orders[name].append(value)


def _first(references: Sequence[str]) -> str:
    return next(text for text in references if class_of(text))


def _mean(values: Sequence[float]) -> str:
    return repr(round(sum(values) / len(values), DIGITS)) if values else ""


def _file_parts(subsets: Iterable[str]) -> dict[str, str]:
    """Subset names that fit into a file name, each another one."""
    parts: dict[str, str] = {}
    for name in subsets:
        safe = _UNSAFE.sub("_", name)[:80] or "_"
        taken = set(parts.values()) | {OVERALL, "final"}
        number = 2
        part = safe
        while part in taken:
            part, number = f"{safe}_{number}", number + 1
        parts[name] = part
    return parts
