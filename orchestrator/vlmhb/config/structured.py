"""JSON and YAML run configs (`defaults`, `evaluations`, `matrix`, settings) to raw rows."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from vlmhb.contracts import Place
from vlmhb.errors import BadList, BadValue, ConfigUnreadable, UnknownColumn, VlmhbError
from vlmhb.reading.jsonnodes import parse_json
from vlmhb.reading.names import name_hint
from vlmhb.reading.nodes import Node, SyntaxFault
from vlmhb.reading.text import read_text
from vlmhb.reading.yamlnodes import parse_yaml

from .columns import KINDS, canonical_column
from .limits import alerts_of, budgets_of
from .raw import RawConfig, unknown_column
from .rows import Cell, RawRow
from .upstream_json import is_upstream_run, upstream_run

SETTINGS = ("engine", "scheduler", "prices")
KEYS = ("defaults", "evaluations", "matrix", *SETTINGS, "budget", "alerts")
_FOR_EDITORS = "$schema"
_FORM = "the file is a mapping with evaluations: [...] or matrix: {...}"
MAX_CELLS = 100_000  # of a matrix


def read_structured_config(path: Path) -> RawConfig:
    """Raises `ConfigUnreadable` when the text is not well formed, `WrongEncoding`."""
    text = read_text(path)
    try:
        node = _only(parse_yaml(text)) if path.suffix.lower() != ".json" else parse_json(text)
    except SyntaxFault as fault:
        where = Place(file=str(path), row=fault.line)
        raise ConfigUnreadable(fault.what, where=str(where)) from None
    if node.fields is None:
        raise ConfigUnreadable("not a run config", where=str(path), hint=_FORM)
    if is_upstream_run(node):
        node = upstream_run(node)
    return _Reader(path).read(node.fields or {})


def _only(documents: tuple[Node, ...]) -> Node:
    if len(documents) > 1:
        raise SyntaxFault("a second YAML document", line=documents[1].line)
    return documents[0] if documents else Node(line=1, fields={})


class _Reader:
    def __init__(self, path: Path) -> None:
        self._file = str(path)
        self._errors: list[VlmhbError] = []

    def read(self, fields: Mapping[str, Node]) -> RawConfig:
        for name, item in fields.items():
            if name not in KEYS and name != _FOR_EDITORS:
                where = Place(file=self._file, row=item.line)
                self._errors.append(
                    UnknownColumn(f"unknown key '{name}'", where=str(where), hint=name_hint(name, KEYS))
                )
        defaults = self._row(fields.get("defaults"), name="defaults")
        rows = [*self._evaluations(fields.get("evaluations")), *self._matrix(fields.get("matrix"))]
        settings = self._settings(fields)
        if defaults is None:
            rows = []
        else:
            rows = [RawRow(place=row.place, cells={**defaults.cells, **row.cells}) for row in rows]
        return RawConfig(rows=tuple(rows), settings=settings, errors=tuple(self._errors))

    def _settings(self, fields: Mapping[str, Node]) -> dict[str, object]:
        settings: dict[str, object] = {
            name: node.text
            for name in SETTINGS
            if (node := fields.get(name)) is not None and self._is_text(node, name=name) and node.text
        }
        try:
            if "budget" in fields:
                settings["budget"] = budgets_of(fields["budget"], file=self._file)
            if "alerts" in fields:
                settings["alerts"] = alerts_of(fields["alerts"], file=self._file)
        except VlmhbError as error:
            self._errors.append(error)
        return settings

    def _is_text(self, node: Node, *, name: str) -> bool:
        if not node.is_scalar:
            where = Place(file=self._file, row=node.line)
            self._errors.append(BadValue(f"{name} takes one value", where=str(where)))
        return node.is_scalar

    def _evaluations(self, node: Node | None) -> Iterator[RawRow]:
        if node is None or (node.is_scalar and node.text is None):
            return
        if node.items is None:
            where = Place(file=self._file, row=node.line)
            self._errors.append(BadValue("evaluations is not a list", where=str(where), hint=_FORM))
            return
        for index, item in enumerate(node.items):
            row = self._row(item, name=f"evaluations[{index}]")
            if row is not None:
                yield row

    def _matrix(self, node: Node | None) -> Iterator[RawRow]:
        """Every combination of the values; the first key varies slowest."""
        if node is None or (node.is_scalar and node.text is None):
            return
        place = Place(file=f"{self._file} matrix", row=node.line)
        if node.fields is None:
            hint = "write matrix: {model_name: [...], dataset: [...]}"
            self._errors.append(BadValue("matrix is not a mapping", where=str(place), hint=hint))
            return
        axes = {name: _axis(item, name=name) for name, item in node.fields.items()}
        count = 1
        for name, axis in axes.items():
            if not axis:
                where = Place(file=place.file, row=node.fields[name].line, column=name)
                self._errors.append(BadList("an empty list gives no evaluation", where=str(where)))
            count *= len(axis)
        if count > MAX_CELLS:
            what = f"{count} combinations are more than {MAX_CELLS}"
            self._errors.append(BadValue(what, where=str(place)))
            return
        for values in itertools.product(*axes.values()):
            fields = dict(zip(axes, values, strict=True))
            row = self._row(Node(line=node.line, fields=fields), name="matrix")
            if row is not None:
                yield row

    def _row(self, node: Node | None, *, name: str) -> RawRow | None:
        """None when a key or the form is wrong; the errors are kept."""
        place = Place(file=f"{self._file} {name}", row=node.line if node else None)
        if node is None or (node.is_scalar and node.text is None):
            return RawRow(place=place, cells={})
        if node.fields is None:
            self._errors.append(BadValue("not a mapping of columns", where=str(place)))
            return None
        cells: dict[str, Cell] = {}
        good = True
        for key, item in node.fields.items():
            where = Place(file=place.file, row=item.line, column=key)
            error = _cell_error(key, node=item, taken=cells, place=where)
            if error is not None:
                self._errors.append(error)
                good = False
                continue
            cells[canonical_column(key) or key] = Cell(value=_cell_value(item), place=where)
        return RawRow(place=place, cells=cells) if good else None


def _axis(node: Node, *, name: str) -> tuple[Node, ...]:
    """The values of one matrix key. For a list column a flat list is one value, a list of lists several."""
    if node.items is None:
        return (node,)
    column = canonical_column(name)
    if column is not None and KINDS.get(column) == "list" and all(item.is_scalar for item in node.items):
        return (node,)
    return node.items


def _cell_error(key: str, *, node: Node, taken: Mapping[str, Cell], place: Place) -> VlmhbError | None:
    column = canonical_column(key)
    if column is None:
        return unknown_column(key, place=Place(file=place.file, row=place.row))
    if column in taken:
        return BadValue(f"'{key}' and another key mean the same column {column}", where=str(place))
    if node.is_scalar:
        return None
    if KINDS.get(column) == "mapping" and node.fields is not None:
        return None
    if KINDS.get(column) != "list":
        return BadValue(f"{key} takes one value", where=str(place))
    if node.items is None or not all(item.is_scalar and item.text for item in node.items):
        return BadList(f"{key} is not a list of names", where=str(place), hint="write [CER, WER]")
    return None


def _cell_value(node: Node) -> str | tuple[str, ...] | None:
    if node.fields is not None:
        return json.dumps(node.plain(), ensure_ascii=False)
    if node.items is None:
        return node.text
    return tuple((item.text or "").strip() for item in node.items)
