"""Renders pages of a PDF to PNG: filled form fields included, at a given resolution, the same bytes each time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from vlmhb_stages.prepare.oddities import BadImage

POINTS_PER_INCH = 72


@dataclass(frozen=True, kw_only=True)
class PageImage:
    """A rendered page: a PNG file and its size in pixels."""

    data: bytes
    width: int
    height: int


class PdfRenderer:
    """Keeps one document open: the pages of a document come one after another."""

    def __init__(self, *, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._key = ""
        self._document: Any = None

    def render(self, source: Path | bytes, *, key: str, page: int, dpi: int) -> PageImage:
        """`key` tells documents apart; `page` is 0-based, `dpi` in pixels per inch. Raises `BadImage`."""
        document = self._open(source, key=key)
        if not 0 <= page < len(document):
            raise BadImage(f"no page {page + 1}, the document has {len(document)}")
        return self._page(document, number=page, scale=dpi / POINTS_PER_INCH)

    def close(self) -> None:
        if self._document is not None:
            self._document.close()
        self._document, self._key = None, ""

    def _open(self, source: Path | bytes, *, key: str) -> Any:
        import pypdfium2

        if key == self._key and self._document is not None:
            return self._document
        self.close()
        try:
            document = pypdfium2.PdfDocument(source)
            with suppress(pypdfium2.PdfiumError):  # a broken form does not spoil the page below it
                document.init_forms()
        except (pypdfium2.PdfiumError, OSError) as error:
            if "password" in str(error).lower():
                raise BadImage("the PDF is encrypted and needs a password") from error
            raise BadImage("not a readable PDF") from error
        self._document, self._key = document, key
        return document

    def _page(self, document: Any, *, number: int, scale: float) -> PageImage:
        import pypdfium2

        try:
            page = document[number]
            width, height = (round(side * scale) for side in page.get_size())
            if width * height > self._max_pixels:
                raise BadImage(
                    f"page {number + 1} has {width}x{height} pixels, more than {self._max_pixels} allowed"
                )
            picture = page.render(scale=scale).to_pil().convert("RGB")
            page.close()
        except (pypdfium2.PdfiumError, ValueError, MemoryError) as error:
            raise BadImage(f"page {number + 1} cannot be rendered ({error})") from error
        buffer = BytesIO()
        picture.save(buffer, format="PNG")
        return PageImage(data=buffer.getvalue(), width=picture.width, height=picture.height)
