"""Reads CORD receipts: `json/` beside `image/`, or parquet files with the column `ground_truth`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import (
    BadRow,
    LoaderError,
    RawSample,
    check_params,
    choice,
    shown,
    texts,
)
from vlmhb_benchmarks.loaders.cordtruth import TARGETS, reference_of
from vlmhb_benchmarks.loaders.folders import (
    IMAGE_ENDS,
    JSON_ENDS,
    answered,
    both,
    by_stem,
    image_or_none,
    joined,
    parse_object,
    read_object,
    split_folder,
)
from vlmhb_benchmarks.loaders.pictures import image_of

SPLITS = {name: name for name in ("train", "dev", "val", "validation", "test")}
TRUTH, IMAGE = "ground_truth", "image"


def load_cord(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `target`: `kie` (default; the parsed receipt as JSON) or `text` (the page's words in reading order);
    `split`; `file` (parquet globs). Ids: the file's stem, or the position in the parquet files.

    A receipt with only its image or only its truth is one unusable sample."""
    check_params(params, known=("target", "split", "file"), loader="cord")
    target = choice(params, "target", of=TARGETS)
    if root.is_file() or "file" in params or not _has_folders(root):
        yield from _of_tables(root, params=params, target=target)
    else:
        yield from _of_folders(root, split=params.get("split"), target=target)


def _has_folders(root: Path) -> bool:
    return any((root / split / "json").is_dir() for split in ("", *SPLITS))


def _of_folders(root: Path, *, split: str | None, target: str) -> Iterator[RawSample]:
    base = split_folder(root, split=split, needs=("json", "image"), names=SPLITS)
    images = by_stem(root, joined(base, "image"), ends=IMAGE_ENDS)
    truths = by_stem(root, joined(base, "json"), ends=JSON_ENDS)
    for stem in both(images, truths):
        truth, image = truths.get(stem), images.get(stem)
        sample = RawSample(
            sample_id=stem,
            question="",
            references=(),
            file=truth or str(image),
            row=1,
            images=(image_or_none(image, otherwise="no file for this receipt in image/"),),
            metadata={"doc_class": "receipt"},
        )
        yield answered(sample, read=partial(_of_file, root, truth, target=target))


def _of_file(root: Path, truth: str | None, *, target: str) -> str:
    if truth is None:
        raise BadRow("no file for this receipt in json/")
    return reference_of(read_object(root / truth, exact=target == "kie"), target=target)


def _of_tables(root: Path, *, params: Mapping[str, Any], target: str) -> Iterator[RawSample]:
    from vlmhb_benchmarks.loaders.arrowfiles import column_names, read_rows
    from vlmhb_benchmarks.loaders.shards import find_shards

    position = 0
    for path in find_shards(root, pattern=texts(params, "file"), split=params.get("split")).paths:
        name = shown(path, root=root)
        header = column_names(path, name=name)
        missing = [column for column in (IMAGE, TRUTH) if column not in header]
        if missing:
            hint = f"it has: {', '.join(header)}"
            raise LoaderError(f"missing column {', '.join(missing)}", file=name, hint=hint)
        for row in read_rows(path, name=name):
            sample = RawSample(
                sample_id=str(position),
                question="",
                references=(),
                file=name,
                row=row.row,
                images=(image_of(row.data[IMAGE], path="{}"),),
                metadata={"doc_class": "receipt"},
            )
            yield answered(sample, read=partial(_of_cell, row.data[TRUTH], target=target))
            position += 1


def _of_cell(cell: Any, *, target: str) -> str:
    truth = parse_object(cell, exact=target == "kie") if isinstance(cell, str) else cell
    return reference_of(truth, target=target)
