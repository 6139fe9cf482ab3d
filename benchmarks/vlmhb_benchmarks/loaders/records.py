"""From one row of a table, of whatever file format, to samples: the same rules for parquet, TSV and JSONL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import BadRow, LoaderError, RawImage, RawSample
from vlmhb_benchmarks.loaders.columns import METADATA, WHOLE_ROW, Table, TableParams, lookup
from vlmhb_benchmarks.loaders.derive import derive_metadata
from vlmhb_benchmarks.loaders.exactjson import dumps_exact
from vlmhb_benchmarks.loaders.pictures import images_of
from vlmhb_benchmarks.loaders.values import (
    as_letter,
    choices_in_columns,
    choices_of,
    metadata_text,
    references_of,
    text_of,
)

SHOWN_VALUES = 10

Images = Callable[[Mapping[str, Any]], tuple[RawImage, ...]]


class NoRow(LoaderError):
    """`where` keeps no row of a file."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """`data`: column -> value; `position` from 0 in the whole dataset, `row` as of `RawSample`.

    `name` is its id when it has none that can be used: no other sample's. `extra`: metadata that are no columns."""

    data: Mapping[str, Any]
    position: int
    file: str
    row: int
    name: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How rows become samples. `table` raises `BadRow` for a row that lacks a column.

    `images` overrides where a row's images come from; `structs`: see `references_of`. `public` decides which columns,
    beside those that the card names, the inference side may see."""

    params: TableParams
    root: Path
    table: Callable[[Mapping[str, Any]], Table]
    images: Images | None = None
    structs: bool = True
    public: Callable[[str], bool] = field(default=METADATA.__contains__)

    def samples(self, rows: Iterable[Row]) -> Iterator[RawSample]:
        """In file order. Raises `NoRow` when `where` keeps none."""
        kept = False
        last: Row | None = None
        seen: dict[str, dict[str, None]] = {column: {} for column in self.params.where}
        for last in rows:
            if last.problem is None and not self._is_wanted(last, seen=seen):
                continue
            kept = True
            yield from self._of_row(last)
        if last is not None and not kept:
            wanted = "; ".join(f"{key} = {' or '.join(value)}" for key, value in self.params.where.items())
            hint = "; ".join(f"{column} has {', '.join(values)}" for column, values in seen.items())
            raise NoRow(f"no row with {wanted}", file=last.file, hint=hint)

    def _is_wanted(self, row: Row, *, seen: Mapping[str, dict[str, None]]) -> bool:
        for column, wanted in self.params.where.items():
            value = lookup({**row.extra, **row.data}, column)
            texts = [text_of(item) for item in (value if isinstance(value, list) else [value])]
            if len(seen[column]) < SHOWN_VALUES:
                seen[column].update(dict.fromkeys(text[:60] for text in texts[:SHOWN_VALUES]))
            if not set(texts) & set(wanted):
                return False
        return True

    def _of_row(self, row: Row) -> Iterator[RawSample]:
        sample_id = row.name
        try:
            if row.problem is not None:
                raise BadRow(row.problem)
            table = self.table(row.data)
            sample_id = _sample_id(row, table=table)
            parts = _exploded(row.data, columns=self.params.explode)
        except BadRow as bad:
            yield _unusable(row, sample_id=sample_id, problem=str(bad))
            return
        for number, data in enumerate(parts):
            part_id = f"{sample_id}-{number}" if self.params.explode else sample_id
            try:
                yield self._sample(replace(row, data=data), sample_id=part_id, table=table)
            except BadRow as bad:
                yield _unusable(row, sample_id=part_id, problem=str(bad))

    def _sample(self, row: Row, *, sample_id: str, table: Table) -> RawSample:
        data, params = row.data, self.params
        choices = _choices(data, table=table)
        references = tuple(
            as_letter(text, choices=choices, rule=params.answer_choice)
            for text in _references(data, table=table, params=params, structs=self.structs)
        )
        public, private = self._metadata(row, table=table)
        return RawSample(
            sample_id=sample_id,
            question=_question(data, table=table, hint=params.hint),
            references=references,
            file=row.file,
            row=row.row,
            images=self.images(data)
            if self.images
            else images_of(data, table=table, params=params, root=self.root),
            metadata=public,
            label_metadata=private,
            choices=choices,
            list_choices=params.list_choices,
            response_schema=_schema(data, table=table),
        )

    def _metadata(self, row: Row, *, table: Table) -> tuple[dict[str, str], dict[str, str]]:
        """What the inference side may see, and what goes to the labels alone."""
        params = self.params
        named = {ours: lookup({**row.data, **row.extra}, theirs) for ours, theirs in params.metadata.items()}
        public = {ours: metadata_text(value) for ours, value in named.items()}
        private: dict[str, str] = {}
        done = {*params.metadata, *params.metadata.values()}
        others = {name: value for name, value in row.data.items() if name not in table.used}
        if WHOLE_ROW in table.answers:  # all of it is the answer
            others = {}
        for name, value in {**others, **row.extra}.items():
            if name in done or _is_binary(value):
                continue
            if self.public(name):
                public[name] = metadata_text(value)
            elif params.labels is None or name in params.labels:
                private[name] = metadata_text(value)
        return public, {**private, **_derived({**public, **private}, rules=params.derive)}


def _derived(known: dict[str, str], *, rules: tuple[str, ...]) -> dict[str, str]:
    """What the rules add or change: for the labels, because it may come from what the labels alone know."""
    found = known
    for rule in rules:
        found = derive_metadata(rule, found)
    return {key: value for key, value in found.items() if known.get(key) != value}


def _unusable(row: Row, *, sample_id: str, problem: str) -> RawSample:
    return RawSample(
        sample_id=sample_id, question="", references=(), file=row.file, row=row.row, problem=problem
    )


def _sample_id(row: Row, *, table: Table) -> str:
    if table.id is None:
        return str(row.position)
    text = text_of(lookup(row.data, table.id))
    if not text.strip():
        raise BadRow(f"{table.id} is empty: every sample needs an id of its own")
    return text


def _exploded(data: Mapping[str, Any], *, columns: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """One row per item of the parallel lists. Raises `BadRow` when their lengths differ or there is no item."""
    if not columns:
        return [data]
    lists = {name: _as_list(data.get(name), name=name) for name in columns}
    lengths = {name: len(items) for name, items in lists.items()}
    if len(set(lengths.values())) != 1:
        raise BadRow(f"lists of different lengths: {', '.join(f'{k} {n}' for k, n in lengths.items())}")
    if not next(iter(lengths.values())):
        raise BadRow(f"{columns[0]} is an empty list")
    rows = zip(*lists.values(), strict=True)
    return [{**data, **dict(zip(lists, items, strict=True))} for items in rows]


def _as_list(value: Any, *, name: str) -> list[Any]:
    """A list, or a struct of lists (`{question: [...], answer: [...]}`) as a list of structs."""
    if isinstance(value, dict) and value and all(isinstance(items, list) for items in value.values()):
        if len({len(items) for items in value.values()}) != 1:
            raise BadRow(f"the lists inside {name} differ in length")
        return [dict(zip(value, items, strict=True)) for items in zip(*value.values(), strict=True)]
    if not isinstance(value, list):
        raise BadRow(f"{name} is no list")
    return value


def _question(data: Mapping[str, Any], *, table: Table, hint: bool) -> str:
    text = text_of(lookup(data, table.question)) if table.question is not None else ""
    if not hint:
        return text
    given = text_of(lookup(data, table.hint)) if table.hint is not None else ""
    return f"Hint: {given}\nQuestion: {text}" if given else f"Question: {text}"


def _references(
    data: Mapping[str, Any], *, table: Table, params: TableParams, structs: bool
) -> tuple[str, ...]:
    """Several answer columns are several accepted answers; a null among them is none."""
    if not table.answers:
        return ()
    values = [value for name in table.answers if (value := lookup(data, name)) is not None]
    if not values:
        raise BadRow("no answer")
    if params.reference == "json":
        return tuple(text_of(value) for value in values)
    return tuple(
        text or params.empty_answer
        for value in values
        for text in references_of(value, lists=params.lists, structs=structs)
    )


def _choices(data: Mapping[str, Any], *, table: Table) -> tuple[str, ...] | None:
    if len(table.choices) == 1:
        return choices_of(lookup(data, table.choices[0]))
    return choices_in_columns({name: lookup(data, name) for name in table.choices})


def _schema(data: Mapping[str, Any], *, table: Table) -> Mapping[str, Any] | None:
    value = lookup(data, table.response_schema) if table.response_schema is not None else None
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadRow(f"{table.response_schema} must be a JSON object")
    schema: dict[str, Any] = json.loads(dumps_exact(value))  # here numbers are numbers
    return schema


def _is_binary(value: Any) -> bool:
    """Pictures that no column of ours names: they are no metadata."""
    if isinstance(value, dict):
        return any(_is_binary(item) for item in value.values())
    if isinstance(value, list):
        return any(_is_binary(item) for item in value[:1])
    return isinstance(value, bytes)
