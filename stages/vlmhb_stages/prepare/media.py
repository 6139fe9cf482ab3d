"""Decides whether a dataset's images can be mounted where they are or must be copied."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

IMAGE_ENDS = frozenset(
    (
        ".bmp",
        ".gif",
        ".jp2",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".tif",
        ".tiff",
        ".webp",
    )
)
# Files that desktops leave behind; they hold no labels.
HARMLESS = frozenset((".DS_Store", "Thumbs.db", "desktop.ini"))


class CommonFolder:
    """The smallest folder that holds all paths it was told."""

    def __init__(self) -> None:
        self._parts: tuple[str, ...] | None = None

    def add(self, path: str) -> None:
        parts = PurePosixPath(path).parent.parts
        if self._parts is None:
            self._parts = parts
            return
        same = 0
        while same < min(len(parts), len(self._parts)) and parts[same] == self._parts[same]:
            same += 1
        self._parts = self._parts[:same]

    @property
    def path(self) -> str | None:
        """Relative to the dataset; None when there is no image, or only the dataset itself holds all."""
        return "/".join(self._parts) if self._parts else None


def can_mount(root: Path, folder: str) -> bool:
    """True when mounting `folder` of the dataset shows nothing but images.

    A link may lead elsewhere and would be dead inside the mount, so one link is enough for False."""
    path = root / folder
    if path.resolve() != root.resolve() / folder or not path.is_dir():
        return False
    return all(_is_image(entry) for entry in _entries(path))


def _is_image(entry: os.DirEntry[str]) -> bool:
    known = entry.name in HARMLESS or Path(entry.name).suffix.lower() in IMAGE_ENDS
    return known and entry.is_file(follow_symlinks=False)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below `folder` that is not a real folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(Path(entry.path))
            else:
                yield entry
