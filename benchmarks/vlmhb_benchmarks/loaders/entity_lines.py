"""Reads datasets of labelled text lines: WildReceipt (MMOCR), POIE and EPHOIE, to fields as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from vlmhb_benchmarks.loaders.base import (
    BadRow,
    ImageFile,
    LoaderError,
    RawSample,
    check_params,
    choice,
)
from vlmhb_benchmarks.loaders.csvfile import read_lines
from vlmhb_benchmarks.loaders.values import fields_json

NO_FIELD = ("Ignore", "Others", "other", "O", "其他", "")
EPHOIE_FOLDERS = (("image", "*_image_*"), ("kvpair", "*_kvpair_*"))
KEY_END, VALUE_END = "_key", "_value"


def load_entity_lines(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `layout` (wildreceipt, poie or ephoie), `file` (the list of the split).

    The reference maps each label to its text, or to a list of texts where the label occurs more than once, in the
    order of the file. Labels of printed keys (`Date_key`) and of other text are no fields."""
    check_params(params, known=("layout", "file"), loader="entity_lines")
    layout = choice(params, "layout", of=("wildreceipt", "poie", "ephoie"))
    path = _list_file(root, params.get("file"), layout=layout)
    name = path.relative_to(root).as_posix()
    read: Callable[[str], _Parsed] = _PARSERS[layout](root)
    for row, line in read_lines(path, name=name):
        if line.strip():
            yield _sample(line, file=name, row=row, read=read)


class _Entity(NamedTuple):
    label: str
    text: str


class _Parsed(NamedTuple):
    """One image and its labelled texts in the order of the file."""

    image: str
    entities: list[_Entity]


_LISTS = {
    "wildreceipt": ("test.txt", "wildreceipt_test.txt"),
    "poie": ("test.txt", "test_list.txt"),
    "ephoie": ("test.txt",),
}


def _list_file(root: Path, name: str | None, *, layout: str) -> Path:
    if root.is_file():
        raise LoaderError(
            "this loader needs the dataset's folder", file=root.name, hint="the images lie beside"
        )
    names = (name,) if name else _LISTS[layout]
    for candidate in names:
        if (root / candidate).is_file():
            return root / candidate
    raise LoaderError(f"no {' or '.join(names)} in the dataset folder", file=root.name, hint="params.file")


def _sample(line: str, *, file: str, row: int, read: Callable[[str], _Parsed]) -> RawSample:
    image, problem = f"line-{row}", None
    references: tuple[str, ...] = ()
    try:
        parsed = read(line)
        image, references = parsed.image, (_fields(parsed.entities),)
    except BadRow as bad:
        problem = str(bad)
    return RawSample(
        sample_id=image,
        question="",
        references=references,
        file=file,
        row=row,
        images=() if problem else (ImageFile(path=image),),
        problem=problem,
    )


def _fields(entities: list[_Entity]) -> str:
    fields: dict[str, list[str]] = {}
    for label, text in entities:
        if label not in NO_FIELD and not label.endswith(KEY_END):
            fields.setdefault(label.removesuffix(VALUE_END), []).append(text)
    return fields_json(fields)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRow(f"not JSON ({error})") from error


def _wildreceipt(root: Path) -> Callable[[str], _Parsed]:
    """`{"file_name": ..., "annotations": [{"text": ..., "label": 3}]}`, label names in class_list.txt."""
    names = dict(_class_list(root / "class_list.txt"))

    def read(line: str) -> _Parsed:
        data = _json(line)
        try:
            entities = [_Entity(names[str(item["label"])], str(item["text"])) for item in data["annotations"]]
            return _Parsed(str(data["file_name"]), entities)
        except (KeyError, TypeError) as error:
            raise BadRow(f"not a row of WildReceipt ({type(error).__name__}: {error})") from error

    return read


def _class_list(path: Path) -> Iterator[tuple[str, str]]:
    if not path.is_file():
        raise LoaderError("no class_list.txt in the dataset folder", file=path.parent.name)
    for row, line in read_lines(path, name=path.name):
        words = line.split()
        if len(words) != 2:
            raise LoaderError("a line is a number and a name", file=path.name, row=row)
        yield words[0], words[1]


def _poie(_: Path) -> Callable[[str], _Parsed]:
    """`{"file_name": ..., "entity_dict": {"label": "text"}}`; the lines' own boxes and tags are not needed."""

    def read(line: str) -> _Parsed:
        data = _json(line)
        try:
            entities = list(_entities(data["entity_dict"]))
            return _Parsed(str(data["file_name"]), entities)
        except (KeyError, TypeError, AttributeError) as error:
            raise BadRow(f"not a row of POIE ({type(error).__name__}: {error})") from error

    return read


def _entities(fields: Mapping[str, Any]) -> Iterator[_Entity]:
    """A label's value is a text or a list of texts."""
    for label, value in fields.items():
        for text in value if isinstance(value, list) else [value]:
            yield _Entity(str(label), str(text))


def _ephoie(root: Path) -> Callable[[str], _Parsed]:
    """A line names an image of `image/`; its fields stand in `kvpair/<name>.txt` as one JSON object.

    The folders' names in the release end in a date. `label/` (lines with one tag per character) is not needed."""
    images, pairs = (_folder(root, *names) for names in EPHOIE_FOLDERS)

    def read(line: str) -> _Parsed:
        stem = Path(line.strip()).stem
        path = root / pairs / f"{stem}.txt"
        if not path.is_file():
            raise BadRow(f"no {pairs}/{stem}.txt")
        data = _json(path.read_text(encoding="utf-8-sig"))
        if not isinstance(data, dict):
            raise BadRow(f"{pairs}/{stem}.txt is no JSON object")
        places = (f"{images}/{stem}{end}" for end in (".jpg", ".png"))
        image = next((place for place in places if (root / place).is_file()), f"{images}/{stem}.jpg")
        return _Parsed(image, list(_entities(data)))

    return read


def _folder(root: Path, name: str, pattern: str) -> str:
    """The folder of that name, else the first that fits the pattern."""
    found = (path.name for path in sorted(root.glob(pattern)) if path.is_dir())
    return name if (root / name).is_dir() else next(found, name)


_PARSERS: Mapping[str, Callable[[Path], Callable[[str], _Parsed]]] = {
    "wildreceipt": _wildreceipt,
    "poie": _poie,
    "ephoie": _ephoie,
}
