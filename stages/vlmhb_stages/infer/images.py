"""Turns the images of a sample into data URLs: verified against their sha256, encoded once while they
repeat."""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from pathlib import Path

from vlmhb_stages.contracts import ImageRef

_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)


class BadImage(Exception):
    """The image of a sample cannot be used; the message says why."""


class ImageStore:
    """Reads images under `media`, and those that prepare has made under `made`. Not for several threads at once:
    its owner prepares one sample after another."""

    def __init__(self, media: Path, *, made: Path, remembered: int = 4) -> None:
        self._roots = {"media": media, "inputs": made}
        self._remembered = remembered
        self._encoded: OrderedDict[str, bytes] = OrderedDict()

    def data_url(self, image: ImageRef) -> bytes:
        """`data:<mime>;base64,...` of the file as it is. Raises `BadImage`."""
        found = self._encoded.get(image.sha256)
        if found is not None:
            self._encoded.move_to_end(image.sha256)
            return found
        content = self._read(image)
        encoded = b"data:" + mime_type(content).encode() + b";base64," + base64.b64encode(content)
        self._encoded[image.sha256] = encoded
        if len(self._encoded) > self._remembered:
            self._encoded.popitem(last=False)
        return encoded

    def _read(self, image: ImageRef) -> bytes:
        if Path(image.path).is_absolute() or ".." in Path(image.path).parts:
            raise BadImage(f"{image.path}: outside the media folder")
        try:
            content = (self._roots[image.root] / image.path).read_bytes()
        except OSError as error:
            raise BadImage(f"{image.path}: {error.strerror or error}") from error
        if hashlib.sha256(content).hexdigest() != image.sha256:
            raise BadImage(f"{image.path}: its bytes are not those that were prepared")
        return content


def mime_type(content: bytes) -> str:
    """From the first bytes; names of files lie."""
    for magic, mime in _MAGIC:
        if content.startswith(magic):
            return mime
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return "application/octet-stream"
