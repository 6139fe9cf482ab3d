"""The pages of a PDF file of the dataset, as images to be rendered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmhb_benchmarks.loaders.base import BadRow, ImageAbsent, PdfPage, RawImage, whole

DPI = 144


def pdf_images(root: Path, *, path: str, params: Mapping[str, Any]) -> tuple[RawImage, ...]:
    """The first `max_pages` (default: all) of the PDF at `path`, relative to `root`, at `dpi`. Raises `BadRow`."""
    file = (root / path).resolve()
    if not file.is_relative_to(root.resolve()) or not file.is_file():
        return (ImageAbsent(reason=f"{path}: no such file in the dataset"),)
    count = page_count(file)
    limit = whole(params, "max_pages")
    dpi = whole(params, "dpi") or DPI
    shown = count if limit is None else min(count, limit)
    return tuple(PdfPage(path=path, page=page, dpi=dpi) for page in range(shown))


def page_count(file: Path | bytes) -> int:
    """Of a file, or of a PDF in memory. Raises `BadRow` for what is no readable PDF."""
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        document = PdfDocument(file)
    except (PdfiumError, OSError) as error:
        name = file.name if isinstance(file, Path) else "it"
        raise BadRow(f"{name} cannot be read as a PDF ({error})") from error
    try:
        return len(document)
    finally:
        document.close()
