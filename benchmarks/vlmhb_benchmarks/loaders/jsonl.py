"""Reads our own dataset format: one JSON object a line (see docs/benchmarks.md).

Numbers are kept as they are written (`12.50` stays `12.50`). A line that cannot be used costs one sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from vlmhb_benchmarks.loaders.base import (
    ImageAbsent,
    ImageFile,
    RawImage,
    RawSample,
    check_params,
    find_file,
    shown,
)
from vlmhb_benchmarks.loaders.csvfile import read_lines

OWN_KEYS = (
    "id",
    "image",
    "images",
    "question",
    "answer",
    "answers",
    "choices",
    "response_schema",
    "metadata",
)
# Usual names of reference answers: whatever they hold, it must not reach the inference side.
GOLD_KEYS = (
    "answer",
    "answers",
    "reference",
    "references",
    "gold",
    "ground_truth",
    "gt",
    "label",
    "labels",
    "target",
    "answer_bbox",
)


@dataclass(frozen=True, kw_only=True)
class _Place:
    name: str
    row: int


class _BadLine(Exception):
    """Why one line cannot be used."""


def load_jsonl(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `file` (name in the folder, default samples.jsonl). Without `id`: the 0-based position.

    A line that is no JSON object is `line-<row>`: a position could be the id of another sample."""
    check_params(params, known=("file",), loader="jsonl")
    path = find_file(root, name=params.get("file"), defaults=("samples.jsonl",))
    name = shown(path, root=root)
    filled = ((row, line) for row, line in read_lines(path, name=name) if line.strip())
    for position, (row, line) in enumerate(filled):
        place = _Place(name=name, row=row)
        sample_id = f"line-{row}"
        try:
            data = _parse(line)
            sample_id = _text(data.get("id", position))
            yield _sample(data, sample_id=sample_id, place=place)
        except _BadLine as bad:
            yield RawSample(
                sample_id=sample_id, question="", references=(), file=name, row=row, problem=str(bad)
            )


def _parse(line: str) -> dict[str, Any]:
    try:
        # numbers as text, so that 0044 stays wrong JSON but 12.50 keeps its zero
        data = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise _BadLine("half of a surrogate pair in a text") from error
    except (ValueError, RecursionError) as error:
        raise _BadLine(f"not JSON ({error})") from error
    if not isinstance(data, dict):
        raise _BadLine("not a JSON object")
    if "response_schema" in data or isinstance(data.get("answer"), dict):
        plain = json.loads(line)  # here numbers are numbers
        data |= {key: plain[key] for key in ("response_schema", "answer") if isinstance(plain.get(key), dict)}
    return data


def _sample(data: Mapping[str, Any], *, sample_id: str, place: _Place) -> RawSample:
    extra = {key: value for key, value in data.items() if key not in OWN_KEYS}
    extra |= _typed(data, "metadata", dict) or {}
    gold = {key for key in extra if key.lower() in GOLD_KEYS}
    choices = _typed(data, "choices", list)
    if choices and len(choices) > len(ascii_uppercase):
        raise _BadLine(f"{len(choices)} choices, more than there are letters")
    return RawSample(
        sample_id=sample_id,
        question=_text(data.get("question")),
        references=_references(data),
        file=place.name,
        row=place.row,
        images=_images(data),
        metadata={key: _text(value) for key, value in extra.items() if key not in gold},
        label_metadata={key: _text(value) for key, value in extra.items() if key in gold},
        choices=tuple(_text(choice) for choice in choices) if choices else None,
        response_schema=_typed(data, "response_schema", dict),
    )


def _typed(data: Mapping[str, Any], key: str, kind: type) -> Any:
    value = data.get(key)
    if value is not None and not isinstance(value, kind):
        raise _BadLine(f"{key} must be a {'list' if kind is list else 'JSON object'}")
    return value


def _references(data: Mapping[str, Any]) -> tuple[str, ...]:
    value = data["answers"] if data.get("answers") is not None else data.get("answer")
    values = value if isinstance(value, list) else [value]
    if not values or any(item is None for item in values):
        raise _BadLine("no answer")
    return tuple(_text(item) for item in values)


def _images(data: Mapping[str, Any]) -> tuple[RawImage, ...]:
    if "images" not in data and "image" not in data:
        return ()
    paths = data["images"] if "images" in data else [data["image"]]
    if not isinstance(paths, list):
        raise _BadLine("images must be a list")
    return tuple(_image(path) for path in paths)


def _image(path: Any) -> RawImage:
    if isinstance(path, str) and path.strip():
        return ImageFile(path=path)
    return ImageAbsent(reason="the image path is empty")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
