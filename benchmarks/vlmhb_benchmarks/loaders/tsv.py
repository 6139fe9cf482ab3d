"""Reads VLMEvalKit's TSV files: images as base64, as the index of another row, or as paths.

Texts stay as they are written: `NA`, `007` and empty cells are texts, not missing values or numbers.
"""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import (
    ImageAbsent,
    ImageBase64,
    ImageFile,
    LoaderError,
    RawImage,
    RawSample,
    check_params,
    shown,
)
from vlmhb_benchmarks.loaders.csvfile import read_records

OWN = ("index", "image", "image_path", "question", "answer", *string.ascii_uppercase)
# Columns that the inference side may see. All others go to the labels: a rationale or an answer in another
# form often stands beside `answer`.
METADATA = (
    "category",
    "l2-category",
    "l3-category",
    "split",
    "doc_class",
    "question_type",
    "language",
    "type",
    "task",
    "source",
)
MAX_INDEX = 64  # characters; no image is that short, so such a cell is the index of another row


@dataclass(frozen=True, kw_only=True)
class _Table:
    """An open dataset: `offsets` finds the rows with an image of their own without holding the images."""

    path: Path
    name: str
    header: tuple[str, ...]
    offsets: Mapping[str, int]
    metadata: tuple[str, ...]

    def image_cell(self, index: str) -> str:
        """The image cell of the row with that index; empty when it has none of its own."""
        offset = self.offsets.get(index)
        if offset is None:
            return ""
        record = next(read_records(self.path, delimiter="\t", name=self.name, offset=offset))
        return dict(zip(self.header, record.cells, strict=False))["image"]


def load_tsv(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `file` (default: the only *.tsv of the folder), `metadata` (further columns for slices)."""
    check_params(params, known=("file", "metadata"), loader="tsv")
    path = _find(root, params.get("file"))
    name = shown(path, root=root)
    records = read_records(path, delimiter="\t", name=name)
    header_record = next(records, None)
    if header_record is None:
        raise LoaderError("the file is empty", file=name)
    header = header_record.cells
    if "answer" not in header:
        hint = f"the header has: {', '.join(header)}"
        raise LoaderError("missing column answer", file=name, row=header_record.row, hint=hint)
    table = _Table(
        path=path,
        name=name,
        header=header,
        offsets=_offsets(path, header=header, name=name),
        metadata=(*METADATA, *params.get("metadata", ())),
    )
    for position, record in enumerate(records):
        yield _sample(record.cells, row=record.row, position=position, table=table)


def _find(root: Path, name: str | None) -> Path:
    if root.is_file():
        return root
    found = [root / name] if name else sorted(root.glob("*.tsv"))
    if len(found) != 1 or not found[0].is_file():
        problem = f"no {name or '*.tsv'}" if len(found) < 2 else f"{len(found)} *.tsv files"
        raise LoaderError(
            f"{problem} in the dataset folder", file=root.name, hint="name it in params.file of the card"
        )
    return found[0]


def _offsets(path: Path, *, header: tuple[str, ...], name: str) -> dict[str, int]:
    """Index -> byte offset of the rows whose image is not a reference."""
    if "image" not in header or "index" not in header:
        return {}
    image, index = header.index("image"), header.index("index")
    offsets = {}
    for record in read_records(path, delimiter="\t", name=name):
        if len(record.cells) == len(header) and len(record.cells[image]) > MAX_INDEX:
            offsets[record.cells[index]] = record.offset
    return offsets


def _sample(cells: tuple[str, ...], *, row: int, position: int, table: _Table) -> RawSample:
    data = dict(zip(table.header, cells, strict=False))
    sample_id = data.get("index", str(position))
    problem = None
    if len(cells) != len(table.header):
        problem = f"{len(cells)} cells where the header has {len(table.header)}"
    letters = [letter for letter in string.ascii_uppercase if data.get(letter)]
    if letters != list(string.ascii_uppercase[: len(letters)]):
        problem = f"choices {', '.join(letters)}: one before them is empty"
    if problem:
        return RawSample(
            sample_id=sample_id, question="", references=(), file=table.name, row=row, problem=problem
        )
    extra = {key: value for key, value in data.items() if key not in OWN}
    return RawSample(
        sample_id=sample_id,
        question=data.get("question", ""),
        references=text_list(data["answer"]) or (data["answer"],),
        file=table.name,
        row=row,
        images=_images(data, table=table),
        metadata={key: value for key, value in extra.items() if key in table.metadata},
        label_metadata={key: value for key, value in extra.items() if key not in table.metadata},
        choices=tuple(data[letter] for letter in letters) or None,
    )


def text_list(cell: str) -> tuple[str, ...]:
    """The texts of a Python list of texts; empty for anything else, e.g. `[1, 2]`, which is a text itself."""
    if not (cell.startswith("[") and cell.endswith("]")):
        return ()
    try:
        value = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    return tuple(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else ()


def _images(data: Mapping[str, str], *, table: _Table) -> tuple[RawImage, ...]:
    cell, path = data.get("image", ""), data.get("image_path", "")
    if cell and len(cell) <= MAX_INDEX and not cell.startswith("["):
        cell = table.image_cell(cell) or cell
    if cell:
        return tuple(_encoded(part, table=table) for part in text_list(cell) or (cell,))
    if path:
        return tuple(ImageFile(path=part) for part in text_list(path) or (path,))
    if "image" in table.header or "image_path" in table.header:
        return (ImageAbsent(reason="image is empty"),)
    return ()


def _encoded(part: str, *, table: _Table) -> RawImage:
    if len(part) > MAX_INDEX:
        return ImageBase64(text=part)
    cell = table.image_cell(part)
    if not cell or cell.startswith("["):
        return ImageAbsent(reason=f"row with index {part} has no image to refer to")
    return ImageBase64(text=cell)
