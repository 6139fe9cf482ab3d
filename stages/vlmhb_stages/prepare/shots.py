"""Worked examples that are shown before each question: read from a file, their images checked like all others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from vlmhb_benchmarks.loaders import ImageFile

from vlmhb_stages.contracts import ImageRef
from vlmhb_stages.prepare.failure import PrepareFailed
from vlmhb_stages.prepare.oddities import BadImage
from vlmhb_stages.prepare.store import ImageStore
from vlmhb_stages.specs import PrepareSpec

KIND = ("doc_class", "question_type")
KEYS = ("id", "question", "answer", "images", "image", *KIND)
_FORM = 'one JSON object a line: {"question": "...", "answer": "...", "images": ["page.png"]}'


@dataclass(frozen=True, kw_only=True)
class Example:
    """`question` None: what everybody is asked. `metadata`: its `doc_class` and `question_type`, where they are given.
    `images` are paths beside the file."""

    row: int
    answer: str
    question: str | None = None
    id: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    images: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Shot:
    """An example with its images in place."""

    example: Example
    images: tuple[ImageRef, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Those of a file that are shown; `file` is its name."""

    file: str
    chosen: tuple[Example, ...]


@dataclass(frozen=True, kw_only=True)
class Shots:
    file: str
    shots: tuple[Shot, ...]
    warnings: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Of everything that the model is shown of them."""
        told = [
            [
                shot.example.question,
                shot.example.metadata,
                shot.example.answer,
                *(image.sha256 for image in shot.images),
            ]
            for shot in self.shots
        ]
        return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()


def place_shots(examples: Examples, *, folder: Path, media: Path, max_pixels: int) -> Shots:
    """Checks the images, which lie in `folder`, and copies them to `media`. Raises `PrepareFailed`."""
    store = ImageStore(root=folder, mount=None, media=media, max_pixels=max_pixels)
    try:
        shots = tuple(_placed(example, file=examples.file, store=store) for example in examples.chosen)
    finally:
        store.close()
    told = tuple(f"examples {examples.file}: {text}" for text in store.seen.warnings())
    return Shots(file=examples.file, shots=shots, warnings=told)


def _placed(example: Example, *, file: str, store: ImageStore) -> Shot:
    try:
        images = [store.add(ImageFile(path=name)) for name in example.images]
    except BadImage as bad:
        raise _bad(str(bad), file=file, row=example.row) from bad
    # beside the samples, also where the dataset's own folder is mounted as media
    placed = tuple(image.model_copy(update={"root": "inputs"}) for image in images)
    return Shot(example=example, images=placed)


def read_examples(spec: PrepareSpec, *, path: Path) -> Examples:
    """Those that the spec asks for. Raises `PrepareFailed` naming the line of the file."""
    return Examples(file=path.name, chosen=tuple(_chosen(_read(path), spec=spec, file=path.name)))


def _read(path: Path) -> list[Example]:
    """All of them, in file order. Raises `PrepareFailed`."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PrepareFailed(f"cannot read the examples {path.name} ({error})", code="VHB104") from error
    examples = [_example(line, file=path.name, row=row) for row, line in enumerate(lines, 1) if line.strip()]
    if not examples:
        raise PrepareFailed(f"{path.name} has no examples", hint=_FORM, code="VHB104")
    return examples


def _chosen(examples: list[Example], *, spec: PrepareSpec, file: str) -> list[Example]:
    """The first `few_shot_n`, or drawn by the seed where it is not 0; in file order either way."""
    wanted = spec.few_shot_n if spec.few_shot_n is not None else len(examples)
    if wanted > len(examples):
        what = f"few_shot_n is {wanted}, but {file} has {len(examples)} examples"
        raise PrepareFailed(what, code="VHB104")
    if not spec.seed:
        return examples[:wanted]
    drawn = sorted(Random(spec.seed).sample(range(len(examples)), wanted))
    return [examples[number] for number in drawn]


def _example(line: str, *, file: str, row: int) -> Example:
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        raise _bad(f"not JSON ({error.msg})", file=file, row=row) from error
    if not isinstance(data, dict):
        raise _bad("not a JSON object", file=file, row=row)
    unknown = sorted(set(data) - set(KEYS))
    if unknown:
        raise _bad(f"unknown key {', '.join(unknown)}", file=file, row=row)
    if "images" in data and "image" in data:
        raise _bad("both image and images", file=file, row=row)
    images = data.get("images", data.get("image", []))
    return Example(
        row=row,
        answer=_text(data, "answer", file=file, row=row) or "",
        question=_text(data, "question", file=file, row=row),
        metadata={key: str(data[key]) for key in KIND if data.get(key) is not None},
        id=str(data["id"]) if data.get("id") is not None else None,
        images=_images(images, file=file, row=row),
    )


def _text(data: dict[str, Any], key: str, *, file: str, row: int) -> str | None:
    """An answer must be there and say something; a question may be left out."""
    value = data.get(key)
    if isinstance(value, str) and value.strip():
        return value
    if value is None and key == "question":
        return None
    raise _bad(f"{key} is no text", file=file, row=row)


def _images(value: Any, *, file: str, row: int) -> tuple[str, ...]:
    paths: Sequence[Any] = [value] if isinstance(value, str) else value
    if not isinstance(paths, list) or not all(isinstance(path, str) and path for path in paths):
        raise _bad("images is no list of paths", file=file, row=row)
    return tuple(paths)


def _bad(what: str, *, file: str, row: int) -> PrepareFailed:
    return PrepareFailed(f"examples {file}, row {row}: {what}", hint=_FORM, code="VHB104")
