"""Raw cells of one row, whatever file they stood in, to a typed row; all mistakes of the row at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from vlmhb.contracts import EvaluationRow, Place
from vlmhb.errors import BadValue, MissingValue, SecretInConfig, VlmhbError
from vlmhb.reading.names import name_hint, shown
from vlmhb.reading.secretref import is_secret_reference
from vlmhb.reading.text import NO_CHARACTER

from .cells import Value, parse_cell
from .columns import IGNORED, REQUIRED
from .money import money_of
from .urls import check_url

AGGREGATORS = ("by_id", "by_doc_question", "by_doc_type", "general")
PROFILES = ("default", "upstream-0.1")
_TOLERATE = re.compile(r"tolerate:\s*(\d+(?:\.\d+)?)\s*%?")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A value as written: text, or a list of texts where the file has real lists. None: empty, null."""

    value: str | tuple[str, ...] | None
    place: Place


@dataclass(frozen=True, kw_only=True)
class RawRow:
    """`cells` by canonical column name."""

    place: Place
    cells: Mapping[str, Cell]


@dataclass(frozen=True, kw_only=True)
class RowResult:
    row: EvaluationRow | None
    errors: tuple[VlmhbError, ...] = ()
    warnings: tuple[str, ...] = ()


def build_row(raw: RawRow) -> RowResult:
    """`row` is None when there is an error."""
    errors: list[VlmhbError] = []
    warnings: list[str] = []
    values: dict[str, Value] = {}
    for column, cell in raw.cells.items():
        if column in IGNORED:
            continue
        try:
            values[column] = _value(cell, column=column, warnings=warnings)
        except VlmhbError as error:
            errors.append(error)
    failed = set(raw.cells) - set(values)
    for column in REQUIRED:
        if values.get(column) is None and column not in failed:
            where = raw.cells[column].place if column in raw.cells else raw.place
            errors.append(MissingValue(f"{column} is empty", where=str(where)))
    if errors:
        return RowResult(row=None, errors=tuple(errors), warnings=tuple(warnings))
    try:
        row = EvaluationRow.model_validate({"place": raw.place, **values})
    except ValidationError as error:
        return RowResult(row=None, errors=_range_errors(error, raw=raw), warnings=tuple(warnings))
    return RowResult(row=row, warnings=tuple(warnings))


def _range_errors(error: ValidationError, *, raw: RawRow) -> tuple[VlmhbError, ...]:
    errors = []
    for item in error.errors():
        column = str(item["loc"][0])
        message = item["msg"].replace("Input should be", f"{column} must be")
        errors.append(BadValue(f"{message}, not {item['input']}", where=str(raw.cells[column].place)))
    return tuple(errors)


def _value(cell: Cell, *, column: str, warnings: list[str]) -> Value:
    if isinstance(cell.value, tuple):
        value: Value = cell.value
    else:
        value = parse_cell(cell.value or "", column=column, place=cell.place)
    _check_characters(value, place=cell.place)
    if column == "api_key" and isinstance(value, str):
        _check_api_key(value, place=cell.place)
    elif column == "budget" and isinstance(value, str):
        money_of(value, what=column, where=str(cell.place))
    elif column == "base_url" and isinstance(value, str):
        check_url(value, what=column, where=str(cell.place))
    elif column == "metrics_profile" and isinstance(value, str):
        return _one_of(value, known=PROFILES, place=cell.place)
    elif column == "error_policy" and isinstance(value, str):
        return error_policy(value, place=cell.place)
    elif column == "metrics_aggregators" and isinstance(value, tuple):
        return _aggregators(value, place=cell.place, warnings=warnings)
    return value


def _check_characters(value: Value, *, place: Place) -> None:
    texts = value if isinstance(value, tuple) else (value,)
    if any(isinstance(text, str) and NO_CHARACTER.search(text) for text in texts):
        what = "the value has a character that is none (zero, or half of a surrogate pair)"
        raise BadValue(what, where=str(place), hint="write the text itself instead of \\u escapes")


def _check_api_key(value: str, *, place: Place) -> None:
    if not is_secret_reference(value):
        hint = "write secret:NAME and set the environment variable NAME"
        raise SecretInConfig("api_key holds a key itself, not a reference", where=str(place), hint=hint)


def _one_of(value: str, *, known: tuple[str, ...], place: Place) -> str:
    for name in known:
        if value.casefold() == name:
            return name
    raise BadValue(f"{shown(value)} is not known", where=str(place), hint=name_hint(value, known))


def error_policy(value: str, *, place: Place) -> str:
    """`stop`, `continue` or `tolerate:<percent>%`. Raises `BadValue`."""
    text = value.strip().casefold()
    match = _TOLERATE.fullmatch(text)
    if match and float(match[1]) <= 100:
        return f"tolerate:{float(match[1]):g}%"
    if text in ("stop", "continue"):
        return text
    hint = "write stop, continue or tolerate:5%"
    raise BadValue(f"{shown(value)} is not an error policy", where=str(place), hint=hint)


def _aggregators(values: tuple[str, ...], *, place: Place, warnings: list[str]) -> tuple[str, ...]:
    names: list[str] = []
    for value in values:
        name = value
        if value == "overall":
            name = "general"
            warnings.append(f"{place}: aggregator 'overall' is written as 'general'")
        if name not in AGGREGATORS:
            what = f"unknown aggregator {shown(value)}"
            raise BadValue(what, where=str(place), hint=name_hint(value, AGGREGATORS))
        if name not in names:
            names.append(name)
    return tuple(names)
