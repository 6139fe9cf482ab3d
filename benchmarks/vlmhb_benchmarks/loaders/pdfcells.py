"""The pages of a PDF that a table's cell holds (bytes, base64) or names (a path)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import BadRow, ImageAbsent, PdfBytes, PdfPage, RawImage
from vlmhb_benchmarks.loaders.columns import TableParams
from vlmhb_benchmarks.loaders.pdfpages import page_count

MAGIC = b"%PDF-"
BASE64_PDF = "JVBERi"  # how MAGIC begins in base64
REMEMBERED = 256  # documents
MAGIC_WITHIN = 1024  # bytes; readers accept rubbish before the header


def pages_of(value: Any, *, page: Any, params: TableParams, root: Path) -> Sequence[RawImage]:
    """`page` (from 1) takes one page, null all of them up to `max_pages`. Raises `BadRow`."""
    if isinstance(value, Mapping):
        value = value.get("bytes") if value.get("bytes") is not None else value.get("path")
    if value is None or value in ("", b""):
        return (ImageAbsent(reason="the PDF is empty"),)
    data = value if isinstance(value, bytes) else _decoded(value)
    if data is not None:
        if MAGIC not in data[:MAGIC_WITHIN]:
            return (ImageAbsent(reason="not a PDF"),)
        numbers = _numbers(data, page=page, limit=params.max_pages)
        return [PdfBytes(data=data, page=number, dpi=params.dpi) for number in numbers]
    path = params.image_path.replace("{}", str(value))
    return _file_pages(path, page=page, params=params, root=root)


def _file_pages(path: str, *, page: Any, params: TableParams, root: Path) -> Sequence[RawImage]:
    target = (root / path).resolve()
    if not target.is_relative_to(root.resolve()) or not target.is_file():
        return (ImageAbsent(reason=f"{path}: no such file in the dataset"),)
    try:
        numbers = _numbers(target, page=page, limit=params.max_pages)
    except ModuleNotFoundError:  # on the host, which wants to know the files only
        return (
            PdfPage(path=path, page=0, dpi=params.dpi),
            ImageAbsent(reason="its pages cannot be counted: pypdfium2 is missing"),
        )
    return [PdfPage(path=path, page=number, dpi=params.dpi) for number in numbers]


def _decoded(text: Any) -> bytes | None:
    """The bytes of a base64 PDF; None for a path."""
    if not isinstance(text, str):
        raise BadRow(f"a PDF cannot be {type(text).__name__}")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    elif not text.startswith(BASE64_PDF):
        return None
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRow("the PDF is not base64") from error


def _numbers(source: bytes | Path, *, page: Any, limit: int | None) -> range:
    """0-based."""
    if page is None:
        count = _file_count(source) if isinstance(source, Path) else page_count(source)
        return range(count if limit is None else min(count, limit))
    try:
        number = int(page)
    except (TypeError, ValueError) as error:
        raise BadRow(f"page {page} is no number") from error
    if number < 1:
        raise BadRow(f"page {page}: pages are counted from 1")
    return range(number - 1, number)


@lru_cache(maxsize=REMEMBERED)
def _file_count(path: Path) -> int:
    """Questions about one document stand together."""
    return page_count(path)
