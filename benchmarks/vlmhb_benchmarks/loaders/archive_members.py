"""Zip and tar files as one stream of members, with names that a person can read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, cast

BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile)
MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ": "xz"}
BLOCK = 512
UTF8_NAME, ENCRYPTED = 0x800, 0x1
MAX_READ = 16 << 20  # bytes at once; content is read in smaller pieces, so only a forged header is that long
MAX_LINK = 4096  # bytes of a path
_WORD = re.compile(r"[^\W\d_]+")


class Damaged(Exception):
    """The archive is not what its name says, or not all of it is here."""


class Refused(Exception):
    """A member that must not be unpacked; the message begins with its name."""

    def __init__(self, message: str, *, hint: str = "pack the dataset again without it") -> None:
        self.hint = hint
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class Member:
    """`open` gives the bytes of a file, once; `target` is where a link points, as written there."""

    name: str
    kind: Literal["file", "folder", "link"]
    open: Callable[[], BinaryIO]
    target: str = ""
    hard: bool = False  # a link to another member, by that member's name


@contextmanager
def telling() -> Iterator[None]:
    """What the standard library raises for broken archives becomes `Damaged`."""
    try:
        yield
    except BROKEN as error:
        raise Damaged(str(error) or type(error).__name__) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise Damaged(str(error)) from error  # bz2 has no exception of its own


def zip_members(path: Path) -> Iterator[Member]:
    """Raises `Damaged`, `Refused`."""
    with telling(), zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        names = readable_names(infos)
        for info, name in zip(infos, names, strict=True):
            yield _zip_member(archive, info, name=name)


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, name: str) -> Member:
    if info.flag_bits & ENCRYPTED:
        raise Refused(f"{name}: encrypted", hint="pack the dataset again without a password")

    def read() -> BinaryIO:
        try:
            with telling():
                return cast(BinaryIO, archive.open(info))
        except (NotImplementedError, RuntimeError) as error:
            raise Refused(f"{name}: {error}", hint="pack the dataset again with deflate") from error

    mode = info.external_attr >> 16
    if info.is_dir():
        return Member(name=name, kind="folder", open=read)
    if stat.S_ISLNK(mode):
        with read() as stream:
            target = stream.read(MAX_LINK).decode("utf-8", errors="replace")
        return Member(name=name, kind="link", open=read, target=target)
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise Refused(f"{name}: neither a file nor a folder")
    return Member(name=name, kind="file", open=read)


def readable_names(infos: Sequence[zipfile.ZipInfo]) -> list[str]:
    """Names without the UTF-8 flag come from Python as code page 437, whatever wrote them.

    They are UTF-8 where they can be (macOS, Linux); else code page 866 (Windows in Russian) where no word of any
    name then mixes Cyrillic and Latin letters; else they stay as they are."""
    raw = [_raw_name(info) for info in infos]
    foreign = [name for name in raw if name is not None and not name.isascii()]
    encoding = _encoding(foreign)
    return [
        info.filename if name is None or name.isascii() else name.decode(encoding)
        for info, name in zip(infos, raw, strict=True)
    ]


def _raw_name(info: zipfile.ZipInfo) -> bytes | None:
    """None where the archive itself says that the name is Unicode."""
    if info.flag_bits & UTF8_NAME:
        return None
    try:
        return info.filename.encode("cp437")
    except UnicodeEncodeError:  # from the field of Unicode names, which newer Pythons read
        return None


def _encoding(names: Sequence[bytes]) -> str:
    try:
        for name in names:
            name.decode("utf-8")
    except UnicodeDecodeError:
        words = [word for name in names for word in _WORD.findall(name.decode("cp866"))]
        return "cp866" if all(_is_one_script(word) for word in words) else "cp437"
    return "utf-8"


def _is_one_script(word: str) -> bool:
    return word.isascii() or all("\u0400" <= letter <= "\u04ff" for letter in word)


def tar_members(path: Path) -> Iterator[Member]:
    """Compressed or not, told by the first bytes. Raises `Damaged`, `Refused`."""
    with telling(), _unpacked(path) as stream:
        blocks = _Blocks(stream)
        with tarfile.open(fileobj=cast(IO[bytes], blocks), mode="r:") as archive:
            for info in archive:
                yield _tar_member(archive, info)
                cast(Any, archive).members.clear()  # tarfile would keep them all
        if blocks.last != bytes(BLOCK):
            raise Damaged("it has no end mark")  # tarfile takes a cut file for a short one


def _unpacked(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        start = file.read(8)
    packed = next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), "")
    if packed == "gz":
        return cast(IO[bytes], gzip.GzipFile(path))
    if packed == "bz2":
        return cast(IO[bytes], bz2.BZ2File(path))
    if packed == "xz":
        return cast(IO[bytes], lzma.LZMAFile(path))
    return path.open("rb")


class _Blocks:
    """A stream that remembers what was read last: at the end of a whole tar file that is a block of zeros."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.last = b""

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= MAX_READ:
            raise Damaged(f"a header of {size} bytes")
        self.last = self._stream.read(size)
        return self.last

    def seek(self, place: int, whence: int = 0, /) -> int:
        return self._stream.seek(place, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Member:
    name = _tar_name(info.name)

    def read() -> BinaryIO:
        stream = archive.extractfile(info)
        if stream is None:
            raise Refused(f"{name}: not a file")
        return cast(BinaryIO, stream)

    if info.isdir():
        return Member(name=name, kind="folder", open=read)
    if info.issym() or info.islnk():
        target = _tar_name(info.linkname)
        return Member(name=name, kind="link", open=read, target=target, hard=info.islnk())
    if not info.isreg():
        raise Refused(f"{name}: a device or a pipe")
    return Member(name=name, kind="file", open=read)


def _tar_name(name: str) -> str:
    """Bytes that are not UTF-8 come as surrogates, which no message and no JSON can hold."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raw = name.encode("utf-8", "surrogateescape")
        return raw.decode(_encoding([raw]))
    return name
