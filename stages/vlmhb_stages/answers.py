"""The user's answers file: `id;model_answer` CSV or JSON lines with `sample_id` and `text`.

A row with a `status` says what became of its sample as well (`AnswerRecord`): a failure is no text then.
Infer replays the file, and evaluate needs its order: both must read it alike."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from vlmhb_stages.contracts import AnswerRecord, SampleError, Status
from vlmhb_stages.text import well_formed

_IDS = ("sample_id", "id")
_TEXTS = ("model_answer", "text", "answer")
_STATED = ("finish_reason", "input_tokens", "output_tokens", "latency_s", "ttft_s", "tpot_s", "origin")
_LONGEST_CELL = 1 << 30  # characters; csv's own limit of 131072 is too short for a page of tables


class BadAnswers(Exception):
    """The answers file cannot be read; the message says where and why."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """`texts` by sample id, in the order of the file; `duplicates` are the ids that came more than once (their
    last answer is in `texts`). `records`: rows that say what became of the sample, failed ones among them."""

    texts: dict[str, str]
    duplicates: tuple[str, ...]
    records: dict[str, AnswerRecord] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Row:
    sample_id: str
    text: str | None  # None: the row says that there is no answer
    record: AnswerRecord | None = None


def read_answers(path: Path) -> Answers:
    """Every text exactly as it stands in the file. Raises `BadAnswers`."""
    try:
        content = _file(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadAnswers(f"{path.name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadAnswers(f"{path.name} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    rows = _json_rows(content) if content.lstrip()[:1] == "{" else _csv_rows(content)
    texts: dict[str, str] = {}
    records: dict[str, AnswerRecord] = {}
    seen: set[str] = set()
    duplicates: dict[str, None] = {}
    for row in rows:
        if row.sample_id in seen:
            duplicates[row.sample_id] = None
        seen.add(row.sample_id)
        texts.pop(row.sample_id, None)
        records.pop(row.sample_id, None)
        if row.text is not None:
            texts[row.sample_id] = row.text
        if row.record is not None:
            records[row.sample_id] = row.record
    return Answers(texts=texts, duplicates=tuple(duplicates), records=records)


def _file(path: Path) -> Path:
    """The file itself, or the only file of a folder."""
    if not path.is_dir():
        return path
    files = [entry for entry in sorted(path.iterdir()) if entry.is_file()]
    if len(files) != 1:
        raise BadAnswers(f"{path.name} holds {len(files)} files; name the one with the answers")
    return files[0]


def _csv_rows(content: str) -> Iterator[_Row]:
    header = content.partition("\n")[0]
    csv.field_size_limit(_LONGEST_CELL)
    delimiter = ";" if ";" in header else ","
    table = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    try:
        names = [name.strip() for name in next(table, [])]
        id_at, text_at = _column(names, _IDS), _column(names, _TEXTS)
        for cells in table:
            if not cells:
                continue
            if len(cells) <= max(id_at, text_at):
                columns = f"{len(cells)} columns where the header has {len(names)}"
                raise BadAnswers(f"answers, line {table.line_num}: {columns}")
            sample_id, text = cells[id_at].strip(), cells[text_at]
            if "status" not in names:
                yield _Row(sample_id=sample_id, text=text)
                continue
            told = {name: cell for name, cell in zip(names, cells, strict=False) if cell or name == "status"}
            stated = _record(told, sample_id=sample_id, text=text, line=table.line_num)
            yield _Row(sample_id=sample_id, text=stated.text, record=stated)
    except csv.Error as error:
        raise BadAnswers(f"answers, line {table.line_num}: {error}") from error


def _column(names: list[str], wanted: tuple[str, ...]) -> int:
    for name in wanted:
        if name in names:
            return names.index(name)
    raise BadAnswers(
        f"answers, line 1: no column {' or '.join(wanted)} among {', '.join(names) or 'nothing'}"
    )


def _json_rows(content: str) -> Iterator[_Row]:
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            sample_id = next(record[name] for name in _IDS if name in record)
            text = next(record[name] for name in _TEXTS if name in record)
        except (ValueError, TypeError, StopIteration) as error:
            raise BadAnswers(f"answers, line {number}: not an object with sample_id and text") from error
        text = None if text is None else well_formed(str(text))
        if "status" not in record:
            yield _Row(sample_id=str(sample_id), text=text)
            continue
        stated = _record(record, sample_id=str(sample_id), text=text, line=number)
        yield _Row(sample_id=str(sample_id), text=stated.text, record=stated)


def _record(values: dict[str, Any], *, sample_id: str, text: str | None, line: int) -> AnswerRecord:
    """What the row says of its sample; keys that are none of ours are left out. A failure has no text."""
    status = values["status"]
    if status not in get_args(Status):
        known = ", ".join(get_args(Status))
        raise BadAnswers(f"answers, line {line}: status {status!r} is none of {known}")
    is_answer = status in ("ok", "truncated") and text is not None
    own = {name: values[name] for name in _STATED if values.get(name) is not None}
    own["error"] = None if is_answer else _error(values.get("error"), status=status)
    own["text"] = text if is_answer else None
    if status in ("ok", "truncated") and not is_answer:
        own["status"] = "error"
    try:
        return AnswerRecord.model_validate({"sample_id": sample_id, "status": status, **own})
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise BadAnswers(f"answers, line {line}: {place}: {fault['msg']}") from error


def _error(value: Any, *, status: str) -> Any:
    """As the row tells it; a row that tells none gets one."""
    if isinstance(value, dict):
        return value
    message = value if isinstance(value, str) else f"the answers file says {status}, and not why"
    return SampleError(kind="missing_answer", message=message).model_dump()
