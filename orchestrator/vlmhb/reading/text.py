"""Bytes to text: UTF-8 with or without a byte-order mark, and what to say when it is another encoding."""

from __future__ import annotations

import re
from pathlib import Path

from vlmhb.errors import ConfigUnreadable, WrongEncoding

UTF8_HINT = (
    "save the file as UTF-8 (Excel: Save As, type 'CSV UTF-8'; or: iconv -f cp1251 -t utf-8 old > new)"
)
_UNDECODED = re.compile("[\udc80-\udcff]")


def read_bytes(path: Path) -> bytes:
    """The file's bytes. Raises `ConfigUnreadable`."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigUnreadable("no such file", where=str(path), hint="check the path") from None
    except OSError as error:
        raise ConfigUnreadable(f"cannot read it ({error.strerror})", where=str(path)) from None


def decode(data: bytes) -> str:
    """Lossless: bytes that are not UTF-8 stay in the text as marks that `is_broken` finds."""
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="surrogateescape")


def is_broken(text: str) -> bool:
    return _UNDECODED.search(text) is not None


def encoding_guess(data: bytes) -> str:
    """` (looks like ...)` for a message, or nothing."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return " (looks like UTF-16)"
    high = bytes(byte for byte in data if byte >= 0x80)
    letters = sum(1 for byte in high if byte >= 0xC0 or byte in (0xA8, 0xB8))
    return " (looks like Windows-1251)" if high and letters > len(high) // 2 else ""


def read_text(path: Path) -> str:
    """The whole file, line ends as they are. Raises `ConfigUnreadable`, or `WrongEncoding` naming the row."""
    data = read_bytes(path)
    text = decode(data)
    bad = _UNDECODED.search(text)
    if bad is None:
        return text
    row = text.count("\n", 0, bad.start()) + 1
    what = f"text is not UTF-8{encoding_guess(data)}"
    raise WrongEncoding(what, where=f"{path}, row {row}", hint=UTF8_HINT)
