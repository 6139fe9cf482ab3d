"""Reads table datasets in the JSON lines of PubTabNet and FinTabNet: structure tokens and cells become HTML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import (
    BadRow,
    ImageFile,
    LoaderError,
    RawImage,
    RawSample,
    check_params,
)
from vlmhb_benchmarks.loaders.csvfile import read_lines
from vlmhb_benchmarks.loaders.pdfpages import pdf_images

SPANNING = ("colspan", "rowspan")
IMAGE_FOLDERS = ("", "images", "pdf")  # and below them the folder of the split, in PubTabNet


def load_pubtabnet(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `file` (default: the only *.jsonl), `split` (val; rows without a split belong to every one), `dpi`.

    Metadata `complexity`: complex where a cell spans rows or columns, as PubTabNet's authors tell them apart."""
    check_params(params, known=("file", "split", "dpi"), loader="pubtabnet")
    path = _file(root, params.get("file"))
    root = root.parent if root.is_file() else root
    name = path.relative_to(root).as_posix()
    split = str(params.get("split", "val"))
    found = False
    for row, line in read_lines(path, name=name):
        if not line.strip():
            continue
        sample = _sample(line, root=root, file=name, row=row, split=split, params=params)
        if sample is not None:
            found = True
            yield sample
    if not found:
        raise LoaderError(f"no rows of split {split}", file=name, hint="give split in the card")


def _file(root: Path, name: str | None) -> Path:
    if root.is_file():
        return root
    found = [root / name] if name else sorted(root.glob("*.jsonl"))
    if len(found) != 1 or not found[0].is_file():
        problem = f"no {name or '*.jsonl'}" if len(found) < 2 else f"{len(found)} *.jsonl files"
        raise LoaderError(
            f"{problem} in the dataset folder", file=root.name, hint="name it in params.file of the card"
        )
    return found[0]


def _sample(
    line: str, *, root: Path, file: str, row: int, split: str, params: Mapping[str, Any]
) -> RawSample | None:
    """None for a row of another split."""
    problem = None
    references: tuple[str, ...] = ()
    images: tuple[RawImage, ...] = ()
    sample_id, complexity = f"line-{row}", ""
    try:
        data = _object(line)
        if str(data.get("split", split)) != split:
            return None
        sample_id = str(data.get("table_id", data.get("imgid", sample_id)))
        structure = [str(token) for token in data["html"]["structure"]["tokens"]]
        references = (as_html(structure, cells=data["html"]["cells"]),)
        complexity = "complex" if any(word in token for token in structure for word in SPANNING) else "simple"
        images = _images(root, name=str(data["filename"]), split=split, params=params)
    except BadRow as bad:
        problem = str(bad)
    except (KeyError, TypeError) as error:
        problem = f"not a row of PubTabNet ({type(error).__name__}: {error})"
    return RawSample(
        sample_id=sample_id,
        question="",
        references=references,
        file=file,
        row=row,
        images=images,
        metadata={"split": split, "complexity": complexity},
        problem=problem,
    )


def _object(line: str) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise BadRow(f"not JSON ({error})") from error
    if not isinstance(data, dict):
        raise BadRow("not a JSON object")
    return data


def as_html(structure: Sequence[str], *, cells: Sequence[Mapping[str, Any]]) -> str:
    """The table with each cell's tokens before the end of its `<td>`. Raises `BadRow` when their numbers differ."""
    ends = sum(token.strip().endswith("</td>") for token in structure)
    if ends != len(cells):
        raise BadRow(f"{len(cells)} cells for {ends} places in the structure")
    contents = ("".join(map(str, cell["tokens"])) for cell in cells)
    parts = []
    for token in structure:
        start, end, _ = token.partition("</td>")
        parts.append(f"{start}{next(contents)}{end}" if end else token)
    return f"<table>{''.join(parts)}</table>"


def _images(root: Path, *, name: str, split: str, params: Mapping[str, Any]) -> tuple[RawImage, ...]:
    places = [f"{folder}/{part}".strip("/") for folder in IMAGE_FOLDERS for part in (name, f"{split}/{name}")]
    place = next((place for place in places if (root / place).is_file()), places[0])
    if place.lower().endswith(".pdf"):
        return pdf_images(root, path=place, params=params)
    return (ImageFile(path=place),)
