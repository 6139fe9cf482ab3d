"""Reads the Kleister layout: `<split>/in.tsv(.xz)`, `<split>/expected.tsv`, and the PDFs in `documents/`.

The files are plain TSV: quotes mean nothing, and every line is a row.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import BadRow, LoaderError, RawImage, RawSample, check_params
from vlmhb_benchmarks.loaders.pdfpages import pdf_images
from vlmhb_benchmarks.loaders.values import fields_json

DOCUMENTS = "documents"


def load_kleister(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `split` (dev-0), `max_pages` (at most so many of a document), `dpi` (144).

    The reference is a JSON object: key -> value, or a list of values where there are several, as written (blanks and
    colons are underscores there). The keys that the row asks for become the metadata `keys`."""
    check_params(params, known=("split", "max_pages", "dpi"), loader="kleister")
    split = str(params.get("split", "dev-0"))
    folder = root / split
    names = _lines(_first(folder, "in.tsv.xz", "in.tsv"), root=root)
    expected = _lines(_first(folder, "expected.tsv"), root=root)
    rows = enumerate(zip_longest(names, expected), start=1)
    for row, (line, truth) in rows:
        if line is None or truth is None:
            longer = "expected.tsv" if line is None else "in.tsv"
            hint = "take both files from one release"
            raise LoaderError(f"{longer} has more rows than its partner", file=split, row=row, hint=hint)
        yield _sample(line, truth=truth, root=root, file=f"{split}/expected.tsv", row=row, params=params)


def _first(folder: Path, *names: str) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise LoaderError(
        f"no {folder.name}/{names[0]} in the dataset", file=folder.parent.name, hint="give split in the card"
    )


def _lines(path: Path, *, root: Path) -> Iterator[str]:
    """Raises `LoaderError` for a torn archive or wrong encoding."""
    name = path.relative_to(root).as_posix()
    opened = lzma.open if path.suffix == ".xz" else open
    row = 0
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="\n") as stream:
            for line in stream:
                row += 1
                yield line.rstrip("\r\n")
    except (lzma.LZMAError, EOFError) as error:
        raise LoaderError(f"the archive is damaged ({error})", file=name, row=row + 1) from error
    except UnicodeDecodeError as error:
        raise LoaderError("not UTF-8", file=name, row=row + 1, hint="save the file as UTF-8") from error


def _sample(
    line: str, *, truth: str, root: Path, file: str, row: int, params: Mapping[str, Any]
) -> RawSample:
    document, _, rest = line.partition("\t")
    problem = None
    references: tuple[str, ...] = ()
    images: tuple[RawImage, ...] = ()
    try:
        references = (_fields(truth),)
        images = pdf_images(root, path=f"{DOCUMENTS}/{document}", params=params)
    except BadRow as bad:
        problem = str(bad)
    return RawSample(
        sample_id=document.removesuffix(".pdf") or f"line-{row}",
        question="",
        references=references,
        file=file,
        row=row,
        images=images,
        metadata={"keys": rest.partition("\t")[0]},
        problem=problem,
    )


def _fields(truth: str) -> str:
    fields: dict[str, list[str]] = {}
    for pair in truth.split():
        key, equals, value = pair.partition("=")
        if not equals:
            raise BadRow(f"{pair[:60]} is no key=value")
        fields.setdefault(key, []).append(value)
    return fields_json(fields)
