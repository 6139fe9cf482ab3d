"""Turns the images of a sample into data URLs: verified against their sha256, made smaller where that was asked for,
encoded once while they repeat."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections import OrderedDict
from copy import copy
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from vlmhb_stages.contracts import ImageRef

_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")  # those that prepare lets through
_REMEMBERED = 32 << 20  # bytes of encoded images
_MAX_PIXELS = 200_000_000  # as in prepare
_JPEG_QUALITY = 95

# Our own limit is checked on the size in the header, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


class BadImage(Exception):
    """The image of a sample cannot be used; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """In pixels."""

    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class _Form:
    """One image as it is sent."""

    sha256: str
    scale: float
    max_side: int | None


class _Memory:
    """Encoded images, of which the longest unused give way to new ones. Several threads may use it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._room = size  # bytes that are left
        self._lock = threading.Lock()
        self._encoded: OrderedDict[_Form, bytes] = OrderedDict()

    def recall(self, form: _Form) -> bytes | None:
        with self._lock:
            found = self._encoded.get(form)
            if found is not None:
                self._encoded.move_to_end(form)
            return found

    def keep(self, form: _Form, encoded: bytes) -> None:
        with self._lock:
            if len(encoded) > self._size or form in self._encoded:
                return
            self._encoded[form] = encoded
            self._room -= len(encoded)
            while self._room < 0:
                self._room += len(self._encoded.popitem(last=False)[1])


class ImageStore:
    """Reads images under `media`, and those that prepare has made under `made`; `max_side` in pixels.

    Several threads may use it. Reading, decoding and encoding take long: not on the event loop."""

    def __init__(
        self, media: Path, *, made: Path, max_side: int | None = None, remembered: int = _REMEMBERED
    ) -> None:
        self._roots = {"media": media, "inputs": made}
        self.max_side = max_side
        self._memory = _Memory(remembered)

    def limited(self, max_side: int | None) -> ImageStore:
        """The same images for a place that takes another size; what is encoded is remembered together."""
        other = copy(self)
        other.max_side = max_side
        return other

    def data_url(self, image: ImageRef, scale: float = 1.0) -> bytes:
        """`data:<mime>;base64,...` of the file as it is, unless it has to be smaller: `scale` is of the side, after
        `max_side`. Raises `BadImage`."""
        form = _Form(sha256=image.sha256, scale=scale, max_side=self.max_side)
        found = self._memory.recall(form)
        if found is not None:
            return found
        content = self._read(image)
        if self.max_side is not None or scale != 1.0:
            content = _fitted(content, max_side=self.max_side, scale=scale, name=image.path)
        encoded = b"data:" + mime_type(content).encode() + b";base64," + base64.b64encode(content)
        self._memory.keep(form, encoded)
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


def target_size(size: Size, *, max_side: int | None, scale: float) -> Size:
    """The size that is sent: the longer side at most `max_side`, then times `scale`; the shape is kept."""
    longer = max(size.width, size.height)
    factor = min(1.0, max_side / longer if max_side is not None else 1.0) * min(1.0, scale)
    if factor == 1.0:
        return size
    return Size(width=max(1, round(size.width * factor)), height=max(1, round(size.height * factor)))


def _fitted(content: bytes, *, max_side: int | None, scale: float, name: str) -> bytes:
    """The same bytes where the size fits already, else a smaller image: JPEG stays JPEG, all others become PNG."""
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as image:
            size = Size(width=image.width, height=image.height)
            target = target_size(size, max_side=max_side, scale=scale)
            if target == size:
                return content
            if size.width * size.height > _MAX_PIXELS:
                raise BadImage(f"{name}: {size.width} x {size.height} pixels are too many to make it smaller")
            return _smaller(image, target)
    except (OSError, ValueError, SyntaxError) as error:
        raise BadImage(f"{name}: it cannot be made smaller: {error}") from error


def _smaller(image: Image.Image, target: Size) -> bytes:
    options: dict[str, Any] = {"icc_profile": image.info.get("icc_profile")}
    file_format = "JPEG" if image.format in ("JPEG", "MPO") else "PNG"  # MPO: a JPEG with previews inside
    image.draft(None, (2 * target.width, 2 * target.height))  # a JPEG is decoded at no more than it needs
    pixels = _plain(image, file_format=file_format)
    resized = pixels.resize((target.width, target.height), Image.Resampling.LANCZOS)
    ImageOps.exif_transpose(resized, in_place=True)  # the new file says nothing of an orientation
    if file_format == "JPEG":
        options |= {"quality": _JPEG_QUALITY, "subsampling": 0}
    out = BytesIO()
    resized.save(out, file_format, **{name: value for name, value in options.items() if value})
    return out.getvalue()


def _plain(image: Image.Image, *, file_format: str) -> Image.Image:
    """In a mode that can be resized smoothly and that every server reads."""
    if file_format == "JPEG":
        return image if image.mode in ("RGB", "L") else image.convert("RGB")
    if image.mode in ("RGB", "RGBA", "L", "LA"):
        return image
    if image.mode == "1":
        return image.convert("L")
    has_holes = "transparency" in image.info or "A" in image.mode or "a" in image.mode
    return image.convert("RGBA" if has_holes else "RGB")


def mime_type(content: bytes) -> str:
    """From the first bytes; names of files lie."""
    for magic, mime in _MAGIC:
        if content.startswith(magic):
            return mime
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return "application/octet-stream"
