"""Reads COCO-Text: one annotation JSON (`imgs`, `anns`, `imgToAnns`) beside the images of COCO."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import (
    BadRow,
    ImageAbsent,
    ImageFile,
    LoaderError,
    RawImage,
    RawSample,
    check_params,
    choice,
    find_file,
)
from vlmhb_benchmarks.loaders.boxes import Box, box_of, in_reading_order
from vlmhb_benchmarks.loaders.detect import COCO_TEXT_NAME
from vlmhb_benchmarks.loaders.exactjson import dumps_exact
from vlmhb_benchmarks.loaders.folders import joined

TARGETS = ("text", "grounding")
PARTS = ("imgs", "anns", "imgToAnns")
FOLDERS = ("images", "train2014")  # the first that is there; else the images lie beside the annotation


@dataclass(frozen=True, kw_only=True)
class _Word:
    """A legible annotation. `box`: left, top, right, bottom in pixels."""

    id: str
    text: str
    box: tuple[float, float, float, float]
    kind: str
    language: str

    def as_box(self) -> Box:
        left, top, right, bottom = self.box
        return box_of(self.text, (left, top, right, top, right, bottom, left, bottom))


def load_coco_text(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `target`: `text` (default; the legible words of an image in reading order) or `grounding` (where does
    this word stand: one sample a word, `[x1, y1, x2, y2]` in pixels); `split` (train, val, test); `file`; `images`
    (folder); `with_text: true` leaves out images without a legible word, which else have an empty reference.

    Holds the annotations, no image."""
    known = ("target", "split", "file", "images", "with_text")
    check_params(params, known=known, loader="coco_text")
    target = choice(params, "target", of=TARGETS)
    path = _file(root, name=params.get("file"))
    data = _read(path)
    folder = _folder(path.parent, given=params.get("images"))
    split = params.get("split")
    images = [(key, image) for key, image in data["imgs"].items() if split in (None, image.get("set"))]
    if not images:
        known_splits = sorted({str(image.get("set")) for image in data["imgs"].values()})
        hint = f"there are: {', '.join(known_splits)}"
        raise LoaderError(f"no image of split {split}", file=path.name, hint=hint)
    for key, image in images:
        page = _Page(key=key, image=image, file=path.name, folder=folder)
        try:
            words = _words(page, data=data)
        except BadRow as bad:
            yield page.sample(problem=str(bad))
            continue
        if target == "grounding":
            yield from (_of_word(page, word) for word in words)
        elif words or not params.get("with_text"):
            yield page.sample(
                references=("\n".join(in_reading_order([word.as_box() for word in words])),),
                label_metadata={"boxes": dumps_exact([{"text": w.text, "bbox": w.box} for w in words])},
            )


@dataclass(frozen=True, kw_only=True)
class _Page:
    key: str
    image: Mapping[str, Any]
    file: str
    folder: str

    def sample(self, **fields: Any) -> RawSample:
        name = self.image.get("file_name")
        image: RawImage = ImageAbsent(reason="file_name is empty")
        if isinstance(name, str) and name:
            image = ImageFile(path=joined(self.folder, name))
        plain: dict[str, Any] = {"sample_id": self.key, "question": "", "references": ()}
        metadata = {"split": str(self.image.get("set", ""))}
        return RawSample(
            **{**plain, "metadata": metadata, "images": (image,), "file": self.file, "row": 1, **fields}
        )


def _of_word(page: _Page, word: _Word) -> RawSample:
    split = str(page.image.get("set", ""))
    return page.sample(
        sample_id=f"{page.key}-{word.id}",
        question=word.text,
        references=(dumps_exact(word.box),),
        metadata={"split": split, "language": word.language, "type": word.kind},
    )


def _words(page: _Page, *, data: Mapping[str, Any]) -> list[_Word]:
    """The legible annotations of an image. Raises `BadRow`."""
    ids = data["imgToAnns"].get(page.key, [])
    found = []
    for number in ids:
        annotation = data["anns"].get(str(number))
        if not isinstance(annotation, dict):
            raise BadRow(f"annotation {number} of image {page.key} is not there")
        text = annotation.get("utf8_string")
        if annotation.get("legibility") == "legible" and isinstance(text, str) and text.strip():
            found.append(_word(annotation, number=str(number), text=text))
    return found


def _word(annotation: Mapping[str, Any], *, number: str, text: str) -> _Word:
    try:
        left, top, width, height = (float(value) for value in annotation["bbox"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadRow(f"annotation {number} has no bbox of left, top, width, height") from error
    return _Word(
        id=number,
        text=text,
        box=(left, top, left + width, top + height),
        kind=str(annotation.get("class", "")),
        language=str(annotation.get("language", "")),
    )


def _file(root: Path, *, name: str | None) -> Path:
    if root.is_file() or name:
        return find_file(root, name=name, defaults=())
    found = [path for path in sorted(root.glob("*.json")) if COCO_TEXT_NAME.fullmatch(path.name)]
    if len(found) != 1:
        hint = "name it in params.file of the card"
        raise LoaderError(f"{len(found) or 'no'} files cocotext*.json", file=root.name, hint=hint)
    return found[0]


def _folder(root: Path, *, given: Any) -> str:
    if given is not None:
        return str(given)
    return next((name for name in FOLDERS if (root / name).is_dir()), "")


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise LoaderError("not UTF-8", file=path.name) from error
    except (OSError, ValueError) as error:
        raise LoaderError(f"cut off or damaged, not JSON ({error})", file=path.name) from error
    if not isinstance(data, dict) or any(not isinstance(data.get(key), dict) for key in PARTS):
        raise LoaderError(f"no objects {', '.join(PARTS)}", file=path.name, hint="is it COCO-Text?")
    return data
