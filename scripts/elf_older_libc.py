#!/usr/bin/env python3
"""Let a program that was built against a newer glibc start on an older one, where that changes nothing.

    elf_older_libc.py --have 2.36 FILE...

Since 2.38 the C headers turn `strtol` and its relatives into `__isoc23_strtol`: the same function, which also reads
binary literals. Where such names are all that a file wants from a newer library, they are changed back, and the newer
version is asked for no more. If it wants anything else, nothing is changed and the exit code is 3.
"""

from __future__ import annotations

import argparse
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RENAMED = b"__isoc23_"
ELF64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
DYNAMIC_SYMBOLS, SYMBOL_VERSIONS, NEEDED_VERSIONS = 11, 0x6FFFFFFF, 0x6FFFFFFE
HIDDEN = 0x8000
ANY_VERSION = 1  # of a symbol: whichever the library gives by default
LABEL = re.compile(rb"GLIBC_(\d+)\.(\d+)")


class TooNew(Exception):
    """The file wants what an older library does not have under any name."""


@dataclass(frozen=True)
class Section:
    """`link`: the number of the section with its strings."""

    kind: int
    offset: int
    size: int
    link: int


@dataclass(frozen=True)
class Need:
    """One version of one library that the file asks for. `at`: its entry, `index`: how symbols name it."""

    at: int
    library: int
    index: int
    version: tuple[int, int]


class Elf:
    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.sections = list(self._sections())
        by_kind = {section.kind: section for section in self.sections}
        self.symbols = by_kind.get(DYNAMIC_SYMBOLS)
        self.versions = by_kind.get(SYMBOL_VERSIONS)
        self.needed = by_kind.get(NEEDED_VERSIONS)

    def _sections(self) -> Iterator[Section]:
        (table,) = struct.unpack_from("<Q", self.data, 0x28)
        size, count = struct.unpack_from("<HH", self.data, 0x3A)
        for number in range(count):
            _, kind, _, _, offset, length, link = struct.unpack_from(
                "<IIQQQQI", self.data, table + number * size
            )
            yield Section(kind, offset, length, link)

    def text(self, section: Section, offset: int) -> bytes:
        start = self.sections[section.link].offset + offset
        return bytes(self.data[start : self.data.index(0, start)])

    def needs(self) -> Iterator[Need]:
        """Every glibc version that the file names, of whichever of its libraries."""
        if self.needed is None:
            return
        library, step = self.needed.offset, 1
        while step:
            _, count, _, first, step = struct.unpack_from("<HHIII", self.data, library)
            at = library + first
            for _ in range(count):
                _, _, index, name, onwards = struct.unpack_from("<IHHII", self.data, at)
                if label := LABEL.fullmatch(self.text(self.needed, name)):
                    yield Need(at, library, index, (int(label[1]), int(label[2])))
                at += onwards
            library += step

    def lower(self, have: tuple[int, int]) -> list[str]:
        """The names that were changed back. Raises `TooNew`, with nothing changed."""
        needs = list(self.needs())
        newer = {need.index: need for need in needs if need.version > have}
        if not newer or self.symbols is None or self.versions is None:
            return []
        instead = {index: self._older(need, needs, have=have) for index, need in newer.items()}
        wanted = list(self._symbols_of(newer))
        if foreign := [name.decode() for _, name in wanted if not name.startswith(RENAMED)]:
            raise TooNew(", ".join(foreign))
        for number, _ in wanted:
            at = self.symbols.offset + 24 * number
            (name_at,) = struct.unpack_from("<I", self.data, at)
            struct.pack_into("<I", self.data, at, name_at + len(RENAMED))
            struct.pack_into("<H", self.data, self.versions.offset + 2 * number, ANY_VERSION)
        for index, need in newer.items():
            self._repeat(instead[index], at=need.at)
        return [name.decode() for _, name in wanted]

    def _older(self, need: Need, needs: list[Need], *, have: tuple[int, int]) -> Need:
        """Another version of the same library, which this machine has."""
        found = [other for other in needs if other.library == need.library and other.version <= have]
        if not found:
            raise TooNew("every version that it names")
        return max(found, key=lambda other: other.version)

    def _repeat(self, older: Need, *, at: int) -> None:
        """A version entry is a hash, flags, an index, a name and a link; hash and name say which version."""
        for part in (0, 8):
            self.data[at + part : at + part + 4] = self.data[older.at + part : older.at + part + 4]

    def _symbols_of(self, needs: dict[int, Need]) -> Iterator[tuple[int, bytes]]:
        assert self.symbols is not None and self.versions is not None
        for number in range(self.symbols.size // 24):
            (index,) = struct.unpack_from("<H", self.data, self.versions.offset + 2 * number)
            if index & ~HIDDEN in needs:
                (name,) = struct.unpack_from("<I", self.data, self.symbols.offset + 24 * number)
                yield number, self.text(self.symbols, name)


def lower_file(path: Path, *, have: tuple[int, int]) -> list[str]:
    """Changes the file in place. Anything but a 64-bit little-endian ELF file is left alone."""
    content = path.read_bytes()
    if not content.startswith(ELF64_LITTLE_ENDIAN):
        return []
    elf = Elf(content)
    changed = elf.lower(have)
    if changed:
        path.write_bytes(elf.data)
    return changed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--have", required=True, help="version of this machine's glibc, such as 2.36")
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args()
    major, minor = (int(word) for word in options.have.split(".")[:2])
    for path in options.files:
        try:
            changed = lower_file(path, have=(major, minor))
        except TooNew as error:
            sys.stderr.write(f"error: {path} needs a newer glibc than {options.have}: {error}\n")
            return 3
        if changed:
            sys.stderr.write(f"{path.name}: {', '.join(sorted(changed))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
