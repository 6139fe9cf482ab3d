"""Reads one image of a dataset: is it there, is it whole, how big is it, what are its bytes' sha256."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from PIL import Image

from vlmhb_stages.prepare.failure import PrepareFailed
from vlmhb_stages.prepare.oddities import DAMAGED, BadImage, has_holes, may_have_holes, oddities

CHUNK = 1 << 20

# Others are refused: some of Pillow's readers (EPS) start programs on what they are given.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

# Our own limit is checked on the size in the header, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """Width and height in pixels, as stored (an EXIF orientation is not applied)."""

    sha256: str
    width: int
    height: int
    format: str  # Pillow's name: PNG, JPEG ...
    oddities: tuple[str, ...] = ()  # what models would see differently, in the words of `ImageRef.made`
    has_holes: bool = False  # transparent parts


def normal_path(path: str) -> str:
    """`path` without `.` and with `/` only. Raises `PrepareFailed` when it leads out of the dataset."""
    pure = PurePosixPath(path.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts:
        raise PrepareFailed(
            f"image path {path} leads out of the dataset", hint="paths are relative to the dataset folder"
        )
    return pure.as_posix()


def locate(root: Path, path: str) -> Path:
    """The file of a normal path. Raises `BadImage`, or `PrepareFailed` for a link out of the dataset."""
    found = root / path
    try:
        inside = found.resolve().is_relative_to(root.resolve())
        regular = found.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name too long, a NUL in it
        raise BadImage("not a usable path") from error
    if not inside:
        raise PrepareFailed(
            f"image {path} is a link that leads out of the dataset",
            hint="put the file itself into the dataset folder, or a relative link inside it",
        )
    if not regular:
        raise BadImage("not a file" if found.exists() else "no such file")
    return found


def read_file(path: Path, *, max_pixels: int) -> ImageFacts:
    """The facts of an image file. Raises `BadImage`."""
    try:
        with path.open("rb") as stream:
            return _facts(stream, max_pixels=max_pixels)
    except OSError as error:
        raise BadImage(error.strerror or str(error)) from error


def read_bytes(data: bytes, *, max_pixels: int) -> ImageFacts:
    """The facts of an image in memory. Raises `BadImage`."""
    return _facts(BytesIO(data), max_pixels=max_pixels)


def decode_base64(text: str) -> bytes:
    """The bytes of a base64 image, with or without a `data:` prefix. Raises `BadImage`."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadImage("not base64") from error


def _facts(stream: BinaryIO, *, max_pixels: int) -> ImageFacts:
    digest, size = hashlib.sha256(), 0
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    if size == 0:
        raise BadImage("the file is empty")
    odd = oddities(
        open_image(stream, max_pixels=max_pixels)
    )  # may decode it, so the check needs one of its own
    image = open_image(stream, max_pixels=max_pixels)
    width, height, kind = image.width, image.height, image.format or ""
    _check_whole(image)
    holes = has_holes(open_image(stream, max_pixels=max_pixels)) if may_have_holes(image) else False
    return ImageFacts(
        sha256=digest.hexdigest(), width=width, height=height, format=kind, oddities=odd, has_holes=holes
    )


def open_image(stream: BinaryIO, *, max_pixels: int) -> Image.Image:
    """From the beginning of the stream; its header is read, nothing is decoded. Raises `BadImage`."""
    stream.seek(0)
    try:
        image = Image.open(stream, formats=FORMATS)
    except DAMAGED as error:
        raise BadImage("not a readable image (BMP, GIF, JPEG, PNG, PPM, TIFF, WebP)") from error
    if image.width * image.height > max_pixels:
        raise BadImage(f"{image.width}x{image.height} pixels, more than {max_pixels} allowed")
    return image


def _check_whole(image: Image.Image) -> None:
    """PNG has checksums, so reading them is enough; all other formats must decode to be known as whole."""
    try:
        if image.format == "PNG":
            image.verify()
            return
        image.draft("L", (image.width // 8, image.height // 8))  # JPEG: an eighth of the size, much faster
        image.load()
    except DAMAGED as error:
        raise BadImage(f"damaged ({error})") from error
