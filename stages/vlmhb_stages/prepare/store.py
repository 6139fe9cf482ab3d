"""Turns a dataset's images into checked references, and copies those that cannot be mounted."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path, PurePosixPath

from vlmhb_benchmarks.loaders import ImageAbsent, ImageBase64, ImageFile, RawImage

from vlmhb_stages.contracts import ImageRef
from vlmhb_stages.prepare.images import (
    CHUNK,
    BadImage,
    ImageFacts,
    decode_base64,
    locate,
    normal_path,
    read_bytes,
    read_file,
)
from vlmhb_stages.prepare.media import IMAGE_ENDS
from vlmhb_stages.prepare.output import sync_file

FORMAT_ENDS = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2"}  # others: the name itself
REMEMBERED = 256  # pages; questions about one page stand together


class ImageStore:
    """`mount`: the folder of the dataset that infer will see as media; None: files go to `media`."""

    def __init__(self, *, root: Path, mount: str | None, media: Path, max_pixels: int) -> None:
        self._root, self._mount, self._media, self._max_pixels = root, mount, media, max_pixels
        self._file = lru_cache(maxsize=REMEMBERED)(self._read_file)

    def add(self, image: RawImage) -> ImageRef:
        """The checked reference. Raises `BadImage`."""
        if isinstance(image, ImageAbsent):
            raise BadImage(image.reason)
        if isinstance(image, ImageFile):
            path = normal_path(image.path)
            try:
                return self._file(path)
            except BadImage as bad:
                raise BadImage(f"{path}: {bad}") from bad
        if not isinstance(image, ImageBase64):
            raise BadImage(f"a {type(image).__name__} cannot be prepared")
        data = decode_base64(image.text)
        facts = read_bytes(data, max_pixels=self._max_pixels)
        name = _content_name(facts)
        if not (self._media / name).exists():
            self._place(_write(self._partial(), data), name=name)
        return _reference(name, facts)

    def _read_file(self, path: str) -> ImageRef:
        source = locate(self._root, path)
        facts = read_file(source, max_pixels=self._max_pixels)
        if self._mount is not None:
            return _reference(PurePosixPath(path).relative_to(self._mount).as_posix(), facts)
        name = _content_name(facts, end=source.suffix.lower())
        if not (self._media / name).exists():
            partial = self._partial()
            if _copy(source, partial) != facts.sha256:
                partial.unlink()
                raise BadImage("the file changed while it was read")
            self._place(partial, name=name)
        return _reference(name, facts)

    def _partial(self) -> Path:
        self._media.mkdir(parents=True, exist_ok=True)
        return self._media / ".partial"

    def _place(self, partial: Path, *, name: str) -> None:
        target = self._media / name
        target.parent.mkdir(exist_ok=True)
        partial.replace(target)


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


def _copy(source: Path, target: Path) -> str:
    """Copies and returns the sha256 of what was copied."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK):
            digest.update(chunk)
            writer.write(chunk)
        sync_file(writer)
    return digest.hexdigest()
