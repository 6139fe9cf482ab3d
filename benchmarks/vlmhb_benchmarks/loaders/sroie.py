"""Reads the SROIE layout: `img/NNN.jpg` scans, `box/NNN.csv` transcripts, `key/NNN.json` key fields."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import ImageFile, LoaderError, RawSample, check_params
from vlmhb_benchmarks.loaders.boxes import Box, box_of, in_reading_order

IMAGE_ENDS = (".jpg", ".jpeg", ".png")
BOX_FIELDS = 8  # x1,y1 ... x4,y4; the rest of the line is the transcript


class _BadTruth(Exception):
    """Why the truth of one receipt cannot be used."""


def load_sroie(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `target`: `text` (default) or `key` (JSON); `order` of the text: `reading` (default; a line of text
    per line of the page) or `file` (a line per box, as they stand in the file, which is not the order on the page).

    A receipt with only its image or only its truth is one unusable sample; the others go on."""
    check_params(params, known=("target", "order"), loader="sroie")
    target = params.get("target", "text")
    if target not in ("text", "key"):
        raise LoaderError(f"target {target} is unknown", file="card", hint="text or key")
    order = params.get("order", "reading")
    if order not in ("reading", "file"):
        raise LoaderError(f"order {order} is unknown", file="card", hint="reading or file")
    folder, ends = ("box", (".csv", ".txt")) if target == "text" else ("key", (".json", ".txt"))
    images = _by_stem(root, "img", ends=IMAGE_ENDS)
    truths = _by_stem(root, folder, ends=ends)
    read = _key_fields if target == "key" else _page_text if order == "reading" else _box_texts
    for stem in sorted(images | truths):
        image = images.get(stem, f"img/{stem}.jpg")
        yield _sample(root, stem=stem, image=image, truth=truths.get(stem), folder=folder, read=read)


def _by_stem(root: Path, folder: str, *, ends: tuple[str, ...]) -> dict[str, str]:
    """Stem -> path relative to `root`."""
    if not (root / folder).is_dir():
        hint = "SROIE datasets have the folders img/ and box/ (and key/ for the key fields)"
        raise LoaderError(f"no folder {folder}/ in the dataset", file=root.name, hint=hint)
    files = sorted(path for path in (root / folder).iterdir() if path.suffix.lower() in ends)
    return {path.stem: f"{folder}/{path.name}" for path in files}


def _sample(
    root: Path, *, stem: str, image: str, truth: str | None, folder: str, read: Callable[[Path], str]
) -> RawSample:
    references: tuple[str, ...] = ()
    problem = None
    try:
        if truth is None:
            raise _BadTruth(f"no file for this receipt in {folder}/")
        references = (read(root / truth),)
    except _BadTruth as bad:
        problem = str(bad)
    return RawSample(
        sample_id=stem,
        question="",
        references=references,
        file=truth or image,
        row=1,
        images=(ImageFile(path=image),),
        metadata={"doc_class": "receipt"},
        problem=problem,
    )


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _BadTruth("not UTF-8") from error
    except OSError as error:
        raise _BadTruth(error.strerror or "not readable") from error


def _page_text(path: Path) -> str:
    return "\n".join(in_reading_order(_boxes(path)))


def _box_texts(path: Path) -> str:
    return "\n".join(box.text for box in _boxes(path))


def _boxes(path: Path) -> list[Box]:
    boxes = []
    for row, line in enumerate(_read(path).split("\n"), start=1):
        if not line.strip():
            continue
        parts = line.removesuffix("\r").split(",", BOX_FIELDS)
        try:
            boxes.append(box_of(parts[BOX_FIELDS], [float(part) for part in parts[:BOX_FIELDS]]))
        except (IndexError, ValueError) as error:
            raise _BadTruth(f"line {row} is not x1,y1,...,x4,y4,text") from error
    return boxes


def _key_fields(path: Path) -> str:
    text = _read(path).strip()
    try:
        data = json.loads(text)
    except ValueError as error:
        raise _BadTruth(f"not JSON ({error})") from error
    if not isinstance(data, dict):
        raise _BadTruth("not a JSON object")
    return text
