"""Turns a dataset's images into checked references, and writes those that cannot be mounted as they are."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from vlmhb_benchmarks.loaders.base import (
    ImageAbsent,
    ImageBase64,
    ImageFile,
    PdfBytes,
    PdfPage,
    RawImage,
)

from vlmhb_stages.contracts import ImageRef
from vlmhb_stages.prepare.images import (
    CHUNK,
    ImageFacts,
    decode_base64,
    locate,
    normal_path,
    open_image,
    read_bytes,
    read_file,
)
from vlmhb_stages.prepare.media import IMAGE_ENDS
from vlmhb_stages.prepare.oddities import BadImage, converted
from vlmhb_stages.prepare.output import sync_file
from vlmhb_stages.prepare.pdf import PdfRenderer
from vlmhb_stages.prepare.seen import SeenImages

FORMAT_ENDS = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2"}  # others: the name itself
REMEMBERED = 256  # pages; questions about one page stand together


class ImageStore:
    """`mount`: the folder of the dataset that infer will see as media; None: files go to `media`.

    `unpacked`: the dataset is a copy of our own, so that files of it may be taken over without copying them."""

    def __init__(
        self, *, root: Path, mount: str | None, media: Path, max_pixels: int, unpacked: bool = False
    ) -> None:
        self._root, self._mount, self._media, self._max_pixels = root, mount, media, max_pixels
        self._unpacked = unpacked
        self._file = lru_cache(maxsize=REMEMBERED)(self._read_file)
        self._page = lru_cache(maxsize=REMEMBERED)(self._read_page)
        self._known: OrderedDict[str, ImageRef] = OrderedDict()  # embedded images by content
        self._pdf = PdfRenderer(max_pixels=max_pixels)
        self.seen = SeenImages()

    def add(self, image: RawImage) -> ImageRef:
        """The checked reference. Raises `BadImage`."""
        if isinstance(image, ImageAbsent):
            raise BadImage(image.reason)
        if isinstance(image, ImageFile):
            path = normal_path(image.path)
            return _named(path, lambda: self._file(path))
        if isinstance(image, PdfPage):
            path = normal_path(image.path)
            return _named(path, lambda: self._page(path, image.page, image.dpi))
        if isinstance(image, PdfBytes):
            digest = hashlib.sha256(image.data).hexdigest()
            key = f"{digest} {image.page} {image.dpi}"
            return self._once(
                key, lambda: self._rendered(image.data, key=digest, page=image.page, dpi=image.dpi)
            )
        data = decode_base64(image.text) if isinstance(image, ImageBase64) else image.data
        return self._once(hashlib.sha256(data).hexdigest(), lambda: self._embedded(data))

    def close(self) -> None:
        self._pdf.close()

    def _once(self, key: str, make: Callable[[], ImageRef]) -> ImageRef:
        """Images inside the dataset file: a page that many questions share is looked at once."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = make()
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found

    def _embedded(self, data: bytes) -> ImageRef:
        facts = read_bytes(data, max_pixels=self._max_pixels)
        self.seen.add(facts, name="an image inside the dataset file")
        if facts.oddities:
            return self._converted(BytesIO(data), facts)
        return self._written(data, facts, made=None)

    def _read_file(self, path: str) -> ImageRef:
        source = locate(self._root, path)
        facts = read_file(source, max_pixels=self._max_pixels)
        self.seen.add(facts, name=path)
        if facts.oddities:
            with source.open("rb") as stream:
                return self._converted(stream, facts)
        if self._mount is not None:
            return _reference(PurePosixPath(path).relative_to(self._mount).as_posix(), facts)
        name = _content_name(facts, end=source.suffix.lower())
        if not (self._media / name).exists():
            self._place(self._taken(source, facts), name=name)
        return _reference(name, facts)

    def _read_page(self, path: str, page: int, dpi: int) -> ImageRef:
        return self._rendered(locate(self._root, path), key=path, page=page, dpi=dpi)

    def _rendered(self, source: Path | bytes, *, key: str, page: int, dpi: int) -> ImageRef:
        picture = self._pdf.render(source, key=key, page=page, dpi=dpi)
        facts = ImageFacts(
            sha256=hashlib.sha256(picture.data).hexdigest(),
            width=picture.width,
            height=picture.height,
            format="PNG",
        )
        return self._written(picture.data, facts, made=f"pdf page {page + 1}")

    def _converted(self, stream: BinaryIO, facts: ImageFacts) -> ImageRef:
        data = converted(open_image(stream, max_pixels=self._max_pixels), odd=facts.oddities)
        new = read_bytes(data, max_pixels=self._max_pixels)
        return self._written(data, new, made=", ".join(facts.oddities))

    def _written(self, data: bytes, facts: ImageFacts, *, made: str | None) -> ImageRef:
        """An image that is no file of the dataset: beside the samples, also where the others are mounted."""
        name = _content_name(facts)
        if not (self._media / name).exists():
            self._place(_write(self._partial(), data), name=name)
        root = "media" if self._mount is None else "inputs"
        return _reference(name, facts).model_copy(update={"root": root, "made": made})

    def _taken(self, source: Path, facts: ImageFacts) -> Path:
        partial = self._partial()
        partial.unlink(missing_ok=True)
        if self._unpacked and _link(source, partial):
            return partial
        if _copy(source, partial) != facts.sha256:
            partial.unlink()
            raise BadImage("the file changed while it was read")
        return partial

    def _partial(self) -> Path:
        self._media.mkdir(parents=True, exist_ok=True)
        return self._media / ".partial"

    def _place(self, partial: Path, *, name: str) -> None:
        target = self._media / name
        target.parent.mkdir(exist_ok=True)
        partial.replace(target)


def _named(path: str, look: Callable[[], ImageRef]) -> ImageRef:
    try:
        return look()
    except BadImage as bad:
        raise BadImage(f"{path}: {bad}") from bad


def _content_name(facts: ImageFacts, *, end: str = "") -> str:
    """Named by content; `end` is kept where it is an image's."""
    if end not in IMAGE_ENDS:
        end = FORMAT_ENDS.get(facts.format, f".{facts.format.lower()}")
    return f"{facts.sha256[:2]}/{facts.sha256}{end}"


def _reference(path: str, facts: ImageFacts) -> ImageRef:
    return ImageRef(path=path, sha256=facts.sha256, width=facts.width, height=facts.height)


def _write(target: Path, data: bytes) -> Path:
    with target.open("wb") as stream:
        stream.write(data)
        sync_file(stream)
    return target


def _link(source: Path, target: Path) -> bool:
    """False on a file system that has no second names for a file."""
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def _copy(source: Path, target: Path) -> str:
    """Copies and returns the sha256 of what was copied."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK):
            digest.update(chunk)
            writer.write(chunk)
        sync_file(writer)
    return digest.hexdigest()
