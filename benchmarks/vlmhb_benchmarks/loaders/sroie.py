"""Reads the SROIE layout: `img/NNN.jpg` scans, `box/NNN.csv` transcripts, `key/NNN.json` key fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import (
    BadRow,
    ImageFile,
    RawSample,
    check_params,
    choice,
)
from vlmhb_benchmarks.loaders.boxes import Box, box_of, in_reading_order
from vlmhb_benchmarks.loaders.folders import answered, both, by_stem, parse_object, read_text

IMAGE_ENDS = (".jpg", ".jpeg", ".png")
BOX_FIELDS = 8  # x1,y1 ... x4,y4; the rest of the line is the transcript
HINT = "SROIE datasets have the folders img/ and box/ (and key/ for the key fields)"


def load_sroie(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `target`: `text` (default) or `key` (JSON); `order` of the text: `reading` (default; a line of text
    per line of the page) or `file` (a line per box, as they stand in the file, which is not the order on the page).

    A receipt with only its image or only its truth is one unusable sample; the others go on."""
    check_params(params, known=("target", "order"), loader="sroie")
    target = choice(params, "target", of=("text", "key"))
    order = choice(params, "order", of=("reading", "file"))
    folder, ends = ("box", (".csv", ".txt")) if target == "text" else ("key", (".json", ".txt"))
    images = by_stem(root, "img", ends=IMAGE_ENDS, hint=HINT)
    truths = by_stem(root, folder, ends=ends, hint=HINT)
    read = _key_fields if target == "key" else _page_text if order == "reading" else _box_texts
    for stem in both(images, truths):
        image, truth = images.get(stem, f"img/{stem}.jpg"), truths.get(stem)
        sample = RawSample(
            sample_id=stem,
            question="",
            references=(),
            file=truth or image,
            row=1,
            images=(ImageFile(path=image),),
            metadata={"doc_class": "receipt"},
        )
        yield answered(sample, read=partial(_reference, root, truth, folder=folder, read=read))


def _reference(root: Path, truth: str | None, *, folder: str, read: Callable[[Path], str]) -> str:
    if truth is None:
        raise BadRow(f"no file for this receipt in {folder}/")
    return read(root / truth)


def _page_text(path: Path) -> str:
    return "\n".join(in_reading_order(_boxes(path)))


def _box_texts(path: Path) -> str:
    return "\n".join(box.text for box in _boxes(path))


def _boxes(path: Path) -> list[Box]:
    boxes = []
    for row, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        parts = line.removesuffix("\r").split(",", BOX_FIELDS)
        try:
            boxes.append(box_of(parts[BOX_FIELDS], [float(part) for part in parts[:BOX_FIELDS]]))
        except (IndexError, ValueError) as error:
            raise BadRow(f"line {row} is not x1,y1,...,x4,y4,text") from error
    return boxes


def _key_fields(path: Path) -> str:
    text = read_text(path).strip()
    parse_object(text)
    return text
