"""Reads members of a zip file that nobody vouches for: sizes are limited, and Zstandard is understood.

inspect_ai compresses its logs with Zstandard (zip method 93), which Python's zipfile learned in 3.14 only."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from types import TracebackType

from vlmhb_stages.import_.rows import BadSource

MAX_MEMBER = 1 << 30  # bytes, unpacked
ZSTANDARD = 93
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, lengths of the name and of the extra field


class Archive:
    """A zip file; every fault in it is a `BadSource`."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise BadSource(f"not a readable zip file ({error})") from error
        self._path = path
        self.names = tuple(dict.fromkeys(self._zip.namelist()))  # in the order of the file

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        info = self._zip.getinfo(name)
        if info.file_size > MAX_MEMBER:
            raise BadSource(f"{name}: {info.file_size} bytes are more than {MAX_MEMBER}")
        try:
            data = self._zstandard(info) if info.compress_type == ZSTANDARD else self._plain(info)
        except (
            zipfile.BadZipFile,
            NotImplementedError,
            RuntimeError,
            OSError,
            EOFError,
            zlib.error,
        ) as error:
            raise BadSource(f"{name}: cannot be unpacked ({error})") from error
        if len(data) > info.file_size:
            raise BadSource(f"{name}: holds more than the {info.file_size} bytes that its header tells")
        return data

    def _plain(self, info: zipfile.ZipInfo) -> bytes:
        with self._zip.open(info) as member:
            return member.read(info.file_size + 1)

    def _zstandard(self, info: zipfile.ZipInfo) -> bytes:
        from pyarrow import BufferReader, CompressedInputStream

        with self._path.open("rb") as file:
            file.seek(info.header_offset)
            signature, name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
            if signature != b"PK\x03\x04":
                raise zipfile.BadZipFile("no member where the directory says")
            file.seek(name + extra, 1)
            packed = file.read(info.compress_size)
        with CompressedInputStream(BufferReader(packed), "zstd") as stream:
            data = bytes(stream.read(info.file_size + 1))
        if len(data) == info.file_size and zlib.crc32(data) != info.CRC:
            raise zipfile.BadZipFile("wrong checksum")
        return data
