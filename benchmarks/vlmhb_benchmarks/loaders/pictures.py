"""Turns the values of image and PDF columns into images that `prepare` can read; nothing is decoded here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from vlmhb_benchmarks.loaders.base import (
    BadRow,
    ImageAbsent,
    ImageBase64,
    ImageBytes,
    ImageFile,
    RawImage,
)
from vlmhb_benchmarks.loaders.columns import Table, TableParams, lookup
from vlmhb_benchmarks.loaders.pdfcells import pages_of
from vlmhb_benchmarks.loaders.values import text_list

# A text is a path when it ends like one, else base64 from this length on.
PATH_END = re.compile(r"\.[A-Za-z0-9]{2,4}")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
MIN_BASE64 = 64  # characters; the smallest PNG has more
LOOKED_AT = 256  # characters of a text


def images_of(
    data: Mapping[str, Any], *, table: Table, params: TableParams, root: Path
) -> tuple[RawImage, ...]:
    """The images of a row, columns in their order, then the pages of its PDF. None where no column holds images.

    A null among several columns is no image, and an empty list says that there is none; a row whose cells are
    all empty has lost its image, unless the card says that images are optional. Raises `BadRow`."""
    cells = [lookup(data, name) for name in table.image]
    found = [image for cell in cells for image in _column(cell, params=params)]
    if table.pdf is not None:
        value = lookup(data, table.pdf)
        page = lookup(data, table.page) if table.page is not None else None
        found.extend(pages_of(value, page=page, params=params, root=root))
    if not found and table.image and [] not in cells and not params.image_optional:
        return (ImageAbsent(reason="image is empty"),)
    return tuple(found)


def _column(value: Any, *, params: TableParams) -> Iterator[RawImage]:
    if isinstance(value, Mapping):
        value = _unwrapped(value)
    if value is None or value == "":
        return
    if isinstance(value, str) and params.lists:
        value = list(text_list(value)) or value
    for item in value if isinstance(value, list) else [value]:
        yield image_of(item, path=params.image_path)


def _unwrapped(value: Mapping[str, Any]) -> Any:
    """A struct of nulls is null, and a struct of lists (`{bytes: [...], path: [...]}`) a list of structs."""
    data, path = value.get("bytes"), value.get("path")
    if isinstance(data, list):
        paths = path if isinstance(path, list) else [None] * len(data)
        return [{"bytes": one, "path": two} for one, two in zip(data, paths, strict=False)]
    return None if data is None and not path else value


def image_of(value: Any, *, path: str) -> RawImage:
    """One image: bytes, `{bytes, path}`, base64 (also with `data:`) or a path. Raises `BadRow`."""
    if isinstance(value, Mapping):
        data, name = value.get("bytes"), value.get("path")
        value = data if data is not None else name
    if value is None or (isinstance(value, str | bytes) and not value.strip()):
        return ImageAbsent(reason="the image path is empty" if isinstance(value, str) else "image is empty")
    if isinstance(value, bytes):
        return ImageBytes(data=value)
    if isinstance(value, str):
        return ImageBase64(text=value) if is_base64(value) else ImageFile(path=path.replace("{}", value))
    if isinstance(value, int) and path != "{}":
        return ImageFile(path=path.replace("{}", str(value)))
    raise BadRow(f"an image cannot be {type(value).__name__}")


def is_base64(text: str) -> bool:
    """Whether a text of an image column holds the image itself."""
    if text.startswith("data:"):
        return True
    if len(text) < MIN_BASE64 or PATH_END.fullmatch(PurePosixPath(text[-LOOKED_AT:]).suffix):
        return False
    return BASE64.fullmatch(text[:LOOKED_AT]) is not None
