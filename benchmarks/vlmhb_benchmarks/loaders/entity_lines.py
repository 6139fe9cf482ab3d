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

NO_FIELD = ("Ignore", "Others", "other", "O", "")
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
    return json.dumps(
        {label: texts[0] if len(texts) == 1 else texts for label, texts in fields.items()}, ensure_ascii=False
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
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
        number, _, label = line.strip().partition(" ")
        if not label:
            raise LoaderError("a line is a number and a name", file=path.name, row=row)
        yield number, label


def _poie(_: Path) -> Callable[[str], _Parsed]:
    """`{"file_name": ..., "entity_dict": {"label": "text"}}`."""

    def read(line: str) -> _Parsed:
        data = _json(line)
        try:
            entities = [_Entity(str(label), str(text)) for label, text in data["entity_dict"].items()]
            return _Parsed(str(data["file_name"]), entities)
        except (KeyError, TypeError, AttributeError) as error:
            raise BadRow(f"not a row of POIE ({type(error).__name__}: {error})") from error

    return read


def _ephoie(root: Path) -> Callable[[str], _Parsed]:
    """A line names an image of `image/`; its lines and their classes stand in `label/<name>.txt` as JSON."""

    def read(line: str) -> _Parsed:
        stem = Path(line.strip()).stem
        label = root / "label" / f"{stem}.txt"
        if not label.is_file():
            raise BadRow(f"no label/{stem}.txt")
        data = _json(label.read_text(encoding="utf-8-sig"))
        try:
            entities = [_Entity(str(item["class"]), str(item["string"])) for item in data.values()]
        except (KeyError, TypeError, AttributeError) as error:
            raise BadRow(f"not a label of EPHOIE ({type(error).__name__}: {error})") from error
        images = (f"image/{stem}{end}" for end in (".jpg", ".png"))
        image = next((path for path in images if (root / path).is_file()), f"image/{stem}.jpg")
        return _Parsed(image, entities)

    return read


_PARSERS: Mapping[str, Callable[[Path], Callable[[str], _Parsed]]] = {
    "wildreceipt": _wildreceipt,
    "poie": _poie,
    "ephoie": _ephoie,
}
