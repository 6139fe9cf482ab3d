"""Reads VLMEvalKit's TSV files: images (or a PDF) as base64, as the index of another row, or as paths.

Texts stay as they are written: `NA`, `007` and empty cells are texts, not missing values or numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import (
    ImageAbsent,
    ImageBase64,
    LoaderError,
    RawImage,
    RawSample,
    shown,
    texts,
)
from vlmhb_benchmarks.loaders.columns import MissingColumn, Table, TableParams, read_params, resolve
from vlmhb_benchmarks.loaders.csvfile import CsvRecord, read_records
from vlmhb_benchmarks.loaders.pdfcells import BASE64_PDF, pages_of
from vlmhb_benchmarks.loaders.pictures import images_of
from vlmhb_benchmarks.loaders.records import Images, NoRow, Reader, Row
from vlmhb_benchmarks.loaders.values import text_list

MAX_INDEX = 64  # characters; no image is that short, so such a cell is the index of another row
USUAL = {"id": ("index",), "image": ("image",), "choices": (), "answers": ("answer",)}


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """Rows that hold an image which others refer to: `offsets` finds them without holding the images."""

    path: Path
    name: str
    column: int
    offsets: Mapping[str, int]

    def image_cell(self, index: str) -> str:
        """The image cell of the row with that index; empty when it has none of its own."""
        offset = self.offsets.get(index)
        if offset is None:
            return ""
        record = next(read_records(self.path, delimiter="\t", name=self.name, offset=offset))
        return record.cells[self.column]


def load_tsv(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: those of tables (docs/benchmarks.md); `file` by default the only *.tsv of the folder.

    Where `file` (one or more globs) means several files, each counts from its own first index, so a sample's id is
    `<name of the file>-<index>`."""
    table_params = read_params(params, loader="tsv", lists=True, usual=USUAL)
    paths = _find(root, texts(params, "file"))
    none: NoRow | None = None
    kept = False
    for path in paths:
        prefix = f"{path.stem}-" if len(paths) > 1 else ""
        try:
            for sample in _of_file(path, root=root, params=table_params, prefix=prefix):
                kept = True
                yield sample
        except NoRow as error:  # another file may have one
            none = error
    if none is not None and not kept:
        raise none


def _of_file(path: Path, *, root: Path, params: TableParams, prefix: str) -> Iterator[RawSample]:
    name = shown(path, root=root)
    records = read_records(path, delimiter="\t", name=name)
    header = next(records, None)
    if header is None:
        raise LoaderError("the file is empty", file=name)
    table = _table(params, header=header, name=name)
    folder = path.parent if root.is_file() else root
    shared = _shared_images(path, header=header.cells, table=table, name=name)
    reader = Reader(
        params=params,
        root=folder,
        table=lambda _: table,
        images=_images(table, params=params, root=folder, shared=shared, header=header.cells),
        structs=False,
    )
    for sample in reader.samples(_rows(records, header=header.cells, key=table.id, name=name)):
        yield replace(sample, sample_id=f"{prefix}{sample.sample_id}") if prefix else sample


def _find(root: Path, globs: tuple[str, ...] | None) -> list[Path]:
    if root.is_file():
        return [root]
    found = {glob: [path for path in root.glob(glob) if path.is_file()] for glob in globs or ("*.tsv",)}
    missing = [glob for glob, paths in found.items() if not paths]
    paths = sorted({path for paths in found.values() for path in paths})
    if missing or (globs is None and len(paths) > 1):
        problem = f"no {', '.join(missing)}" if missing else f"{len(paths)} *.tsv files"
        raise LoaderError(
            f"{problem} in the dataset folder", file=root.name, hint="name it in params.file of the card"
        )
    return paths


def _table(params: TableParams, *, header: CsvRecord, name: str) -> Table:
    twice = sorted({cell for cell in header.cells if header.cells.count(cell) > 1})
    if twice:
        raise LoaderError(f"column {', '.join(twice)} stands twice", file=name, row=header.row)
    try:
        return resolve(params, header.cells)
    except MissingColumn as missing:
        hint = f"the header has: {', '.join(header.cells)}"
        raise LoaderError(f"missing column {missing}", file=name, row=header.row, hint=hint) from missing


def _rows(
    records: Iterator[CsvRecord], *, header: tuple[str, ...], key: str | None, name: str
) -> Iterator[Row]:
    for position, record in enumerate(records):
        data = dict(zip(header, record.cells, strict=False))
        problem = None
        if len(record.cells) != len(header):
            problem = f"{len(record.cells)} cells where the header has {len(header)}"
        own_name = (data.get(key) if key else None) or f"row-{record.row}"
        yield Row(data=data, position=position, file=name, row=record.row, name=own_name, problem=problem)


def _shared_images(path: Path, *, header: tuple[str, ...], table: Table, name: str) -> _Shared | None:
    """Index -> byte offset of the rows whose image is not a reference."""
    if table.image[:1] != ("image",) or table.id is None:
        return None
    image, index = header.index("image"), header.index(table.id)
    offsets = {}
    for record in read_records(path, delimiter="\t", name=name):
        if len(record.cells) == len(header) and len(record.cells[image]) > MAX_INDEX:
            offsets[record.cells[index]] = record.offset
    return _Shared(path=path, name=name, column=image, offsets=offsets)


def _images(
    table: Table, *, params: TableParams, root: Path, shared: _Shared | None, header: tuple[str, ...]
) -> Images:
    """Reads the image cells of a row; `image_path` counts where the row's `image` is empty."""
    paths = replace(table, image=("image_path",) if "image_path" in header else table.image)

    def images(data: Mapping[str, Any]) -> tuple[RawImage, ...]:
        if shared is None:
            return images_of(data, table=table, params=params, root=root)
        cell = data["image"]
        if not cell:
            return images_of(data, table=paths, params=params, root=root)
        if len(cell) <= MAX_INDEX and not cell.startswith("["):
            cell = shared.image_cell(cell) or cell
        if cell.startswith(BASE64_PDF):
            return tuple(pages_of(cell, page=None, params=params, root=root))
        return tuple(_encoded(part, shared=shared) for part in text_list(cell) or (cell,))

    return images


def _encoded(part: str, *, shared: _Shared) -> RawImage:
    if len(part) > MAX_INDEX:
        return ImageBase64(text=part)
    cell = shared.image_cell(part)
    if not cell or cell.startswith("["):
        return ImageAbsent(reason=f"row with index {part} has no image to refer to")
    return ImageBase64(text=cell)
