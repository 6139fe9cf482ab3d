"""Reads VLMEvalKit's `{model}_{dataset}.xlsx`, `.tsv` or `.json`: raw predictions, or results with `eval_score`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import LoaderError
from vlmhb_benchmarks.loaders.csvfile import read_records

from vlmhb_stages.import_.jsontext import parse, read_text
from vlmhb_stages.import_.rows import BadSource, Outcome, Row, Source, answered, failed, number, truncated
from vlmhb_stages.import_.sheet import CELL_LIMIT, NumberCell, read_sheet

FORMAT = "vlmevalkit"
FAILED = "Failed to obtain answer"
KEY, TEXT, PROMPT = "index", "prediction", "question"
METRICS = ("eval_score", "hit", "score")


def read(path: Path, *, id_key: str | None) -> Source:
    """`index` is the dataset's own. Raises `BadSource`."""
    with path.open("rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"PK"):
        return _from_sheet(path, id_key=id_key)
    records = _json_records(path) if start[:1] in (b"{", b"[") else _tsv_records(path)
    return _source(records, id_key=id_key)


def _from_sheet(path: Path, *, id_key: str | None) -> Source:
    sheet = list(read_sheet(path))
    if not sheet:
        raise BadSource("the sheet is empty")
    header, *rows = sheet
    records: list[dict[str, Any]] = [
        {str(name): cell for name, cell in zip_longest(header, row, fillvalue="")} for row in rows if any(row)
    ]
    typed = sum(isinstance(record.get(TEXT), NumberCell) for record in records)
    notes = [f"{typed} predictions are stored as numbers: how they were spelled is lost"] if typed else []
    return _source(records, id_key=id_key, limit=CELL_LIMIT, warnings=notes)


def _tsv_records(path: Path) -> Iterable[Mapping[str, Any]]:
    try:
        header, *rows = read_records(path, delimiter="\t", name=path.name)
    except LoaderError as error:
        raise BadSource(str(error), hint=error.hint) from error
    except ValueError as error:
        raise BadSource("the file is empty") from error
    for row in rows:
        if len(row.cells) != len(header.cells):
            raise BadSource(
                f"row {row.row}: {len(row.cells)} columns where the header has {len(header.cells)}"
            )
        yield dict(zip(header.cells, row.cells, strict=True))


def _json_records(path: Path) -> Iterable[Mapping[str, Any]]:
    """A list of rows, or columns as pandas writes them: `{column: {row: value}}`."""
    value = parse(read_text(path), place="file")
    if isinstance(value, Mapping) and isinstance(value.get(TEXT), Mapping):
        for name in value[TEXT]:
            yield {column: cells.get(name) for column, cells in value.items() if isinstance(cells, Mapping)}
        return
    if not isinstance(value, list) or not all(isinstance(record, Mapping) for record in value):
        raise BadSource("neither a list of rows nor an object of columns")
    yield from value


def _source(
    records: Iterable[Mapping[str, Any]],
    *,
    id_key: str | None,
    limit: int | None = None,
    warnings: Sequence[str] = (),
) -> Source:
    rows = tuple(
        _row(record, number=number, key=id_key or KEY, limit=limit)
        for number, record in enumerate(records, start=1)
    )
    return Source(format=FORMAT, tool="VLMEvalKit", rows=rows, warnings=tuple(warnings))


def _row(record: Mapping[str, Any], *, number: int, key: str, limit: int | None) -> Row:
    for name in (key, TEXT):
        if name not in record:
            known = ", ".join(str(name) for name in record)
            raise BadSource(f"row {number}: no column {name} among {known or 'nothing'}")
    prompt = record.get(PROMPT)
    return Row(
        key=_index(record[key]),
        outcome=_outcome(record[TEXT], limit=limit),
        prompt=str(prompt) if prompt else None,
        metrics=_metrics(record),
    )


def _index(value: Any) -> str:
    """pandas makes 1 a 1.0 where another row of the column is empty."""
    text = str(value).strip()
    whole, point, rest = text.partition(".")
    return whole if point and whole.lstrip("-").isdigit() and not rest.strip("0") else text


def _outcome(value: Any, *, limit: int | None) -> Outcome:
    """`limit`: how long a text can be in this kind of file; one as long as that was cut."""
    if value is None or (isinstance(value, float) and value != value):
        return failed("the prediction is null")
    text = str(value)
    if text.lstrip().startswith(FAILED):
        return failed(f"VLMEvalKit: {text}")
    if limit is not None and limit in (len(text), len(text.encode("utf-16-le")) // 2):
        return truncated(text, finish_reason=f"cut at {limit} characters by the spreadsheet")
    return answered(text)


def _metrics(record: Mapping[str, Any]) -> dict[str, float]:
    found = {name: _float(record.get(name)) for name in METRICS}
    return {name: value for name, value in found.items() if value is not None}


def _float(value: Any) -> float | None:
    try:
        return number(float(value))
    except (TypeError, ValueError):
        return None
