"""The user's answers file: `id;model_answer` CSV or JSON lines with `sample_id` and `text`.

Infer replays it, and evaluate needs its order: both must read it alike."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vlmhb_stages.text import well_formed

_IDS = ("sample_id", "id")
_TEXTS = ("model_answer", "text", "answer")
_LONGEST_CELL = 1 << 30  # characters; csv's own limit of 131072 is too short for a page of tables


class BadAnswers(Exception):
    """The answers file cannot be read; the message says where and why."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """`texts` by sample id, in the order of the file; `duplicates` are the ids that came more than once (their
    last answer is in `texts`)."""

    texts: dict[str, str]
    duplicates: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Row:
    sample_id: str
    text: str | None  # None: the row says that there is no answer


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
    seen: set[str] = set()
    duplicates: dict[str, None] = {}
    for row in rows:
        if row.sample_id in seen:
            duplicates[row.sample_id] = None
        seen.add(row.sample_id)
        texts.pop(row.sample_id, None)
        if row.text is not None:
            texts[row.sample_id] = row.text
    return Answers(texts=texts, duplicates=tuple(duplicates))


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
            yield _Row(sample_id=cells[id_at].strip(), text=cells[text_at])
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
        yield _Row(sample_id=str(sample_id), text=None if text is None else well_formed(str(text)))
