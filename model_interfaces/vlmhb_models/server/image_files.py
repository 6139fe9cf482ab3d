"""Gives the images of a request as files, for classes and programs that take paths."""

from __future__ import annotations

from pathlib import Path

from vlmhb_models.base import GenerationRequest

SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\x00", ".tif"),
    (b"MM\x00*", ".tif"),
)


def image_suffix(data: bytes) -> str:
    """The usual suffix of the format that the first bytes tell; `.img` for one not known here."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    for start, suffix in SIGNATURES:
        if data.startswith(start):
            return suffix
    return ".img"


def image_files(request: GenerationRequest, *, folder: Path) -> list[str]:
    """Paths of the request's images: their own where they came by path, else a file each in `folder`."""
    paths: list[str] = []
    for index, data in enumerate(request.images):
        own = request.image_paths[index] if index < len(request.image_paths) else None
        if own is None:
            file = folder / f"image-{index}{image_suffix(data)}"
            file.write_bytes(data)
            own = str(file)
        paths.append(own)
    return paths
