"""Profile `upstream-0.1`: the numbers of upstream's evaluator 0.1.1, mistakes included, and its four CSVs.

Reproduced: pandas type inference on both columns, BLEU with answer and gold swapped and without effective
order, `general` pairing by position, an abort where a gold text is blank. All texts are held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from vlmhb_benchmarks.metrics.distance import levenshtein
from vlmhb_benchmarks.metrics.error_rates import characters, words

from vlmhb_stages.evaluate.csvtext import Annotation, CsvFile, number
from vlmhb_stages.evaluate.legacy import GROUPS, LegacyMetric, LegacyPlace, without_id
from vlmhb_stages.evaluate.pandas_text import read_column

VERSION = "upstream-0.1"
_UNITS: dict[str, Callable[[str], Sequence[str]]] = {"wer": words, "cer": characters}


class UpstreamAborts(Exception):
    """Upstream's evaluator would raise and write no metric file."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    gold: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of upstream's merged table. `context` are the annotation's cells as they are written back."""

    id: str
    pair: Pair
    context: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Merged:
    """`rows` in the order of the answers file, `golds` in the order of the annotation."""

    rows: tuple[Row, ...]
    golds: tuple[str, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Row]:
        return {row.id: row for row in self.rows}

    @property
    def positional(self) -> list[Pair]:
        """How upstream's `general` pairs: two lists side by side, each in its own file's order."""
        return [
            Pair(gold=gold, answer=row.pair.answer) for gold, row in zip(self.golds, self.rows, strict=True)
        ]


def merge(annotation: Annotation, *, answers: Mapping[str, str]) -> Merged:
    """Join as upstream does. `answers`: text by id (row position), in the order of the answers file."""
    columns = {name: read_column(annotation.column(name)) for name in without_id(annotation.header)}
    positions = {sample_id: annotation.position(sample_id) for sample_id in answers}
    texts = read_column(tuple(answers.values())).text
    golds = columns["answer"].text
    context = {name: column.cells for name, column in columns.items()} | {"answer": golds}
    rows = tuple(
        Row(
            id=sample_id,
            pair=Pair(gold=golds[positions[sample_id]], answer=text),
            context={name: cells[positions[sample_id]] for name, cells in context.items()},
        )
        for sample_id, text in zip(answers, texts, strict=True)
    )
    return Merged(rows=rows, golds=tuple(golds[position] for position in sorted(positions.values())))


def value(metric: str, pairs: Sequence[Pair]) -> float:
    """One number of upstream over `pairs`. Raises UpstreamAborts for a blank gold text in WER and CER."""
    if metric == "bleu":
        return _swapped_bleu(pairs)
    units = _UNITS[metric]
    edits = length = 0
    for pair in pairs:
        gold = units(pair.gold)
        if not gold:
            raise UpstreamAborts("a blank reference")
        edits += levenshtein(gold, units(pair.answer))
        length += len(gold)
    return edits / length


def _swapped_bleu(pairs: Sequence[Pair]) -> float:
    from sacrebleu import corpus_bleu

    return float(corpus_bleu([pair.gold for pair in pairs], [[pair.answer for pair in pairs]]).score)


@dataclass(frozen=True, kw_only=True)
class UpstreamResult:
    """Upstream's numbers for one evaluation: general, per sample, and over any set of ids."""

    merged: Merged
    metrics: tuple[LegacyMetric, ...]
    general: Mapping[str, float]
    per_sample: Mapping[str, Mapping[str, float]]

    def over(self, metric: str, ids: Iterable[str]) -> float | None:
        rows = self.merged.by_id
        pairs = [rows[key].pair for key in ids if key in rows]
        return value(metric, pairs) if pairs else None


def evaluate(merged: Merged, *, metrics: tuple[LegacyMetric, ...]) -> UpstreamResult:
    """Raises UpstreamAborts where upstream would."""
    if not merged.rows:
        raise UpstreamAborts("no answers")
    return UpstreamResult(
        merged=merged,
        metrics=metrics,
        general={metric.name: value(metric.name, merged.positional) for metric in metrics},
        per_sample={
            row.id: {metric.name: value(metric.name, [row.pair]) for metric in metrics} for row in merged.rows
        },
    )


def write_tables(result: UpstreamResult, *, place: LegacyPlace, header: Sequence[str]) -> None:
    """The metric CSVs. `header` is the annotation's."""
    if "by_id" in place.aggregators:
        _write_by_id(result, place=place, context=without_id(header))
    for name, keys in GROUPS.items():
        if name in place.aggregators:
            _write_groups(result, place=place, name=name, keys=keys)
    if "general" in place.aggregators:
        with CsvFile(place.path("general"), header=[metric.column for metric in result.metrics]) as file:
            if result.metrics:
                file.write(number(result.general[metric.name]) for metric in result.metrics)


def _write_by_id(result: UpstreamResult, *, place: LegacyPlace, context: Sequence[str]) -> None:
    header = ["id", "model_answer", *context, *(metric.column for metric in result.metrics)]
    with CsvFile(place.path("by_id"), header=header) as file:
        for row in result.merged.rows:
            numbers = (number(result.per_sample[row.id][metric.name]) for metric in result.metrics)
            file.write((row.id, row.pair.answer, *(row.context[name] for name in context), *numbers))


def _write_groups(result: UpstreamResult, *, place: LegacyPlace, name: str, keys: Sequence[str]) -> None:
    groups: dict[tuple[str, ...], list[Pair]] = {}
    for row in result.merged.rows:
        key = tuple(row.context.get(column, "") for column in keys)
        if all(key):
            groups.setdefault(key, []).append(row.pair)
    with CsvFile(
        place.path(name), header=[*keys, *(metric.group_column for metric in result.metrics)]
    ) as file:
        for key in sorted(groups):
            file.write((*key, *(number(value(metric.name, groups[key])) for metric in result.metrics)))
