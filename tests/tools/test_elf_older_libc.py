"""A program for a newer glibc is changed only where that is harmless: hand-made ELF files and a real one."""

from __future__ import annotations

import importlib.util
import shutil
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "scripts" / "elf_older_libc.py"
OLD, NEW = 2, 3  # the numbers by which symbols name the two versions below


@cache
def tool():
    spec = importlib.util.spec_from_file_location("elf_older_libc", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["elf_older_libc"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def make_elf(symbols: dict[str, int], *, versions: dict[str, int]) -> bytes:
    """The tables that matter of a program that wants `symbols` (by version number) from libc.so.6."""
    strings = b"\0"
    at: dict[str, int] = {}
    for name in (*symbols, *versions, "libc.so.6"):
        at[name] = len(strings)
        strings += name.encode() + b"\0"
    dynsym = b"".join(struct.pack("<IBBHQQ", at[name], 0x12, 0, 0, 0, 0) for name in symbols)
    versym = b"".join(struct.pack("<H", index) for index in symbols.values())
    needs = struct.pack("<HHIII", 1, len(versions), at["libc.so.6"], 16, 0)
    for number, (label, index) in enumerate(versions.items(), start=1):
        needs += struct.pack("<IHHII", 0xAA + index, 0, index, at[label], 16 if number < len(versions) else 0)
    parts = [(0, b""), (3, strings), (11, dynsym), (0x6FFFFFFF, versym), (0x6FFFFFFE, needs)]
    body, headers, offset = b"", b"", 64
    for kind, content in parts:
        headers += struct.pack("<IIQQQQIIQQ", 0, kind, 0, 0, offset, len(content), 1, 0, 0, 0)
        body, offset = body + content, offset + len(content)
    start = b"\x7fELF\x02\x01".ljust(0x28, b"\0") + struct.pack("<Q", offset)
    return start.ljust(0x3A, b"\0") + struct.pack("<HHH", 64, len(parts), 0) + body + headers


def test_a_renamed_function_gets_its_old_name_back(tmp_path: Path) -> None:
    path = tmp_path / "program"
    symbols = {"puts": OLD, "__isoc23_strtol": NEW}
    path.write_bytes(make_elf(symbols, versions={"GLIBC_2.34": OLD, "GLIBC_2.38": NEW}))
    assert tool().lower_file(path, have=(2, 36)) == ["__isoc23_strtol"]
    elf = tool().Elf(path.read_bytes())
    name, version = elf.symbols.offset + 24, elf.versions.offset + 2
    assert elf.text(elf.symbols, struct.unpack_from("<I", elf.data, name)[0]) == b"strtol"
    assert struct.unpack_from("<H", elf.data, version) == (1,)
    assert {need.version for need in elf.needs()} == {(2, 34)}
    before = path.read_bytes()
    assert tool().lower_file(path, have=(2, 36)) == []  # a second time there is nothing to do
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("symbols", "versions", "why"),
    [
        ({"__isoc23_strtol": NEW, "new_call": NEW}, {"GLIBC_2.34": OLD, "GLIBC_2.38": NEW}, "new_call"),
        ({"__isoc23_strtol": NEW}, {"GLIBC_2.38": NEW}, "every version"),
    ],
)
def test_what_an_older_library_lacks_is_refused(
    tmp_path: Path, symbols: dict[str, int], versions: dict[str, int], why: str
) -> None:
    path = tmp_path / "program"
    path.write_bytes(make_elf(symbols, versions=versions))
    before = path.read_bytes()
    words = [sys.executable, str(TOOL), "--have", "2.36", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, path.read_bytes()) == (3, before)
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


def test_real_programs_and_other_files_are_left_alone(tmp_path: Path) -> None:
    program, text = tmp_path / "true", tmp_path / "text"
    shutil.copy(str(shutil.which("true")), program)
    text.write_text("no program")
    before = program.read_bytes()
    assert tool().lower_file(program, have=(9, 9)) == []
    assert tool().lower_file(text, have=(2, 0)) == []
    assert program.read_bytes() == before
    with pytest.raises(tool().TooNew):
        tool().lower_file(program, have=(2, 0))
