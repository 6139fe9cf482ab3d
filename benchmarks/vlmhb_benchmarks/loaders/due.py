"""Reads the layout of the DUE benchmark: `<split>/document.jsonl` with keys and values, and one PDF per document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import BadRow, LoaderError, RawImage, RawSample, check_params
from vlmhb_benchmarks.loaders.csvfile import read_lines
from vlmhb_benchmarks.loaders.pdfpages import pdf_images
from vlmhb_benchmarks.loaders.values import fields_json

FILE = "document.jsonl"
PDF_FOLDERS = ("pdfs", "documents", "")


def load_due(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
    """Params: `split` (test), `max_pages` (at most so many of a document), `dpi` (144).

    The reference is a JSON object: key -> value, or a list of values where there are several. A value's variants
    (other accepted ways to write it) make further references, one for each place in the lists of variants."""
    check_params(params, known=("split", "max_pages", "dpi", "file"), loader="due")
    split = str(params.get("split", "test"))
    path = root if root.is_file() else root / split / FILE
    root = root.parent if root.is_file() else root
    if not path.is_file():
        raise LoaderError(f"no {split}/{FILE} in the dataset", file=root.name, hint="give split in the card")
    name = path.relative_to(root).as_posix()
    for row, line in read_lines(path, name=name):
        if line.strip():
            yield _sample(line, root=root, file=name, row=row, params=params)


def _sample(line: str, *, root: Path, file: str, row: int, params: Mapping[str, Any]) -> RawSample:
    sample_id, problem = f"line-{row}", None
    references: tuple[str, ...] = ()
    images: tuple[RawImage, ...] = ()
    metadata: dict[str, str] = {}
    try:
        document = _document(line)
        sample_id = str(document["name"])
        metadata = {key: str(document[key]) for key in ("language", "split") if document.get(key)}
        references = _references(document.get("annotations"))
        images = pdf_images(root, path=_pdf(root, name=sample_id), params=params)
    except BadRow as bad:
        problem = str(bad)
    return RawSample(
        sample_id=sample_id,
        question="",
        references=references,
        file=file,
        row=row,
        images=images,
        metadata=metadata,
        problem=problem,
    )


def _document(line: str) -> dict[str, Any]:
    try:
        document = json.loads(line, parse_float=str, parse_int=str)
    except ValueError as error:
        raise BadRow(f"not JSON ({error})") from error
    if not isinstance(document, dict) or not document.get("name"):
        raise BadRow("no JSON object with a name")
    return document


def _pdf(root: Path, *, name: str) -> str:
    """Where the PDF of a document lies; the first place where there is none, so that the message names it."""
    places = [f"{folder}/{name.removesuffix('.pdf')}.pdf".lstrip("/") for folder in PDF_FOLDERS]
    return next((place for place in places if (root / place).is_file()), places[0])


def _references(annotations: Any) -> tuple[str, ...]:
    if not isinstance(annotations, list):
        raise BadRow("no annotations")
    fields: dict[str, list[list[str]]] = {}  # key -> values -> variants, the value itself first
    try:
        for annotation in annotations:
            for value in annotation["values"]:
                variants = [value["value"], *(value.get("value_variants") or ())]
                fields.setdefault(annotation["key"], []).append(list(dict.fromkeys(map(str, variants))))
    except (KeyError, TypeError) as error:
        raise BadRow("an annotation without key and values") from error
    depth = max((len(variants) for values in fields.values() for variants in values), default=1)
    return tuple(dict.fromkeys(_reference(fields, variant=number) for number in range(depth)))


def _reference(fields: Mapping[str, list[list[str]]], *, variant: int) -> str:
    """Values with fewer variants keep their first."""
    chosen = {
        key: [variants[variant] if variant < len(variants) else variants[0] for variants in values]
        for key, values in fields.items()
    }
    return fields_json(chosen)
