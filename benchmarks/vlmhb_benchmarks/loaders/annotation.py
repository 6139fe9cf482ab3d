"""Reads the prototype's `annotation.csv`: one question about one image a row.

The sample id is the 0-based position of the row in the whole file, so filters never change ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import (
    ImageAbsent,
    ImageFile,
    LoaderError,
    RawImage,
    RawSample,
    check_params,
    find_file,
    shown,
)
from vlmhb_benchmarks.loaders.csvfile import CsvRecord, read_records

FILES = ("annotation.csv", "annotations.csv")
REQUIRED = ("image_path", "question", "answer", "doc_class", "question_type")
METADATA = ("data_index", "split", "doc_class", "question_type")
LABEL_METADATA = ("answer_bbox",)  # where the answer stands is part of the answer


def load_annotation(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `file` (name in the folder), `delimiter` (default `;`), `columns` {our name: theirs}."""
    check_params(params, known=("file", "delimiter", "columns"), loader="annotation")
    path = find_file(root, name=params.get("file"), defaults=FILES)
    name = shown(path, root=root)
    records = read_records(path, delimiter=params.get("delimiter", ";"), name=name)
    header = next(records, None)
    if header is None:
        raise LoaderError("the file is empty", file=name)
    places = _places(header, columns=params.get("columns", {}), name=name)
    for position, record in enumerate(records):
        yield _sample(record, position=position, places=places, width=len(header.cells), name=name)


def _places(header: CsvRecord, *, columns: Mapping[str, str], name: str) -> dict[str, int]:
    """Our column names -> index of the cell."""
    cells = [cell.strip() for cell in header.cells]
    places = {}
    for ours in (*REQUIRED, *METADATA, *LABEL_METADATA):
        theirs = columns.get(ours, ours)
        if theirs in cells:
            places[ours] = cells.index(theirs)
    missing = [columns.get(ours, ours) for ours in REQUIRED if ours not in places]
    if missing:
        hint = f"the header has: {', '.join(cells)}"
        raise LoaderError(f"missing column {', '.join(missing)}", file=name, row=header.row, hint=hint)
    return places


def _sample(
    record: CsvRecord, *, position: int, places: Mapping[str, int], width: int, name: str
) -> RawSample:
    sample_id, count = str(position), len(record.cells)
    if count != width:
        problem = f"{count} cells where the header has {width}"
        return RawSample(
            sample_id=sample_id, question="", references=(), file=name, row=record.row, problem=problem
        )
    cells = {ours: record.cells[place] for ours, place in places.items()}
    return RawSample(
        sample_id=sample_id,
        question=cells["question"],
        references=(cells["answer"],),
        file=name,
        row=record.row,
        images=(_image(cells["image_path"]),),
        metadata={key: cells[key] for key in METADATA if key in cells},
        label_metadata={key: cells[key] for key in LABEL_METADATA if key in cells},
    )


def _image(path: str) -> RawImage:
    return ImageFile(path=path) if path.strip() else ImageAbsent(reason="image_path is empty")
