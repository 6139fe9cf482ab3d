"""Unpacks a zip or tar file that may be hostile: nothing leaves the folder, and nothing grows without limit.

Refused, naming the member: absolute paths, `..`, links out of the archive, devices and pipes, encrypted members, a
name that stands twice, and what exceeds the limits. A file that ends too early is an error, never a shorter dataset.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from vlmhb_benchmarks.loaders.archive_members import (
    Damaged,
    Member,
    Refused,
    tar_members,
    telling,
    zip_members,
)
from vlmhb_benchmarks.loaders.base import LoaderError

TAR_ENDS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ENDS = (".zip", *TAR_ENDS)
CHUNK = 1 << 20
FREE = 256 << 20  # bytes unpacked before the ratio counts: a small archive of blank pages is no bomb
# What desktops put into archives; it belongs to no dataset.
CLUTTER = frozenset(("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"))
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`max_files` counts folders as well; `max_ratio` compares what is unpacked so far with the archive's size."""

    max_bytes: int
    max_files: int
    max_ratio: float


def is_archive(path: Path) -> bool:
    """By its name alone; nothing is opened."""
    return path.name.lower().endswith(ENDS)


def unpack(archive: Path, into: Path, *, limits: Limits, beat: Callable[[], None]) -> None:
    """Everything in `archive` below `into`, an empty folder. `beat` is called often.

    Raises `LoaderError` that names the archive and its member; an `OSError` of a full disk goes through."""
    members = tar_members if archive.name.lower().endswith(TAR_ENDS) else zip_members
    work = _Unpacking(into, limits=limits, packed=archive.stat().st_size, beat=beat)
    name = ""
    try:
        for member in members(archive):
            name = member.name
            work.take(member)
        work.make_links()
    except Damaged as error:
        after = f", after {name}" if name else ""
        message = f"the archive is damaged or cut off ({error}){after}"
        raise LoaderError(message, file=archive.name, hint="copy or download it again") from error
    except Refused as error:
        raise LoaderError(str(error), file=archive.name, hint=error.hint) from error


class _Unpacking:
    """What has been unpacked so far, and what still may be."""

    def __init__(self, into: Path, *, limits: Limits, packed: int, beat: Callable[[], None]) -> None:
        self._into, self._limits, self._packed, self._beat = into, limits, packed, beat
        self._count = 0
        self._written = 0
        self._links: list[Member] = []

    def take(self, member: Member) -> None:
        self._beat()
        path = self._into.joinpath(*_parts(member.name))
        self._count += 1
        if self._count > self._limits.max_files:
            raise Refused(
                f"{member.name}: more than {self._limits.max_files} files", hint=_raise("max_files")
            )
        if CLUTTER & {*path.relative_to(self._into).parts}:
            return
        if member.kind == "folder":
            with _named(member):
                path.mkdir(parents=True, exist_ok=True)
            return
        if member.kind == "link":
            self._links.append(member)
            return
        with _named(member):
            path.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as source, _created(path, member=member) as target:
            self._copy(source, target, name=member.name)

    def _copy(self, source: BinaryIO, target: BinaryIO, *, name: str) -> None:
        while chunk := _read(source):
            self._beat()
            self._written += len(chunk)
            if self._written > self._limits.max_bytes:
                gib = self._limits.max_bytes / 2**30
                raise Refused(f"{name}: more than {gib:g} GiB when unpacked", hint=_raise("max_gib"))
            if self._written > max(FREE, self._limits.max_ratio * self._packed):
                what = (
                    f"{name}: unpacks to more than {self._limits.max_ratio:g} times the size of the archive"
                )
                raise Refused(what, hint=_raise("max_ratio"))
            target.write(chunk)

    def make_links(self) -> None:
        """After all files, so that none is ever written through a link; hard links first, for the same reason."""
        root = self._into.resolve()
        paths = []
        for member in sorted(self._links, key=lambda link: not link.hard):
            path = self._into.joinpath(*_parts(member.name))
            with _named(member):
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.parent.resolve() != root.joinpath(*_parts(member.name)[:-1]):
                    raise Refused(f"{member.name}: lies below a link")
                if member.hard:
                    os.link(self._into.joinpath(*_parts(member.target)), path)
                else:
                    path.symlink_to(member.target)
                    paths.append(path)
        for path in paths:
            if not _stays_inside(path, root=root):
                raise Refused(f"{path.relative_to(self._into)}: a link that leads out of the archive")


def _stays_inside(path: Path, *, root: Path) -> bool:
    """A loop leads nowhere: whoever names it is told so."""
    try:
        return path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):
        return True


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a member's name below the folder. Raises `Refused`."""
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or _DRIVE.match(name):
        raise Refused(f"{name}: an absolute path")
    if ".." in pure.parts:
        raise Refused(f"{name}: a path with ..")
    return pure.parts


def _raise(limit: str) -> str:
    return f"if you trust it, raise unpack.{limit} in the benchmark's card"


def _read(source: BinaryIO) -> bytes:
    with telling():
        return source.read(CHUNK)


@contextmanager
def _named(member: Member) -> Iterator[None]:
    """Faults of the name become `Refused`; a full disk stays what it is."""
    try:
        yield
    except FileExistsError:
        raise Refused(f"{member.name}: stands twice") from None
    except NotADirectoryError:
        raise Refused(f"{member.name}: one of its folders is also a file") from None
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.EINVAL, errno.ENOENT):
            raise
        raise Refused(f"{member.name}: {error.strerror}") from None


@contextmanager
def _created(path: Path, *, member: Member) -> Iterator[BinaryIO]:
    with _named(member):
        file = path.open("xb")
    with file:
        yield file
