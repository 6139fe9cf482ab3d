"""Bytes to text: UTF-8 with or without a byte-order mark, and what to say when it is another encoding."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from vlmhb.errors import ConfigUnreadable, WrongEncoding

UTF8_HINT = (
    "save the file as UTF-8 (Excel: Save As, type 'CSV UTF-8'; or: iconv -f cp1251 -t utf-8 old > new)"
)
# JSON can write characters that no file and no request can hold.
NO_CHARACTER = re.compile("[\x00\ud800-\udfff]")
_UNDECODED = re.compile("[\udc80-\udcff]")
_BYTE_ORDER_MARK = "\ufeff"
_LOOKED_AT = 65536
_ZIP = b"PK\x03\x04"  # what .xlsx and .ods begin with


def read_bytes(path: Path) -> bytes:
    """The file's bytes. Raises `ConfigUnreadable`, or `WrongEncoding` where they cannot be text at all."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigUnreadable("no such file", where=str(path), hint="check the path") from None
    except OSError as error:
        raise ConfigUnreadable(f"cannot read it ({error.strerror})", where=str(path)) from None
    if data.startswith(_ZIP):
        raise WrongEncoding("this is a spreadsheet, not text", where=str(path), hint=UTF8_HINT)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:_LOOKED_AT]:
        guess = encoding_guess(data) or " (it has zero bytes: UTF-16, or not text)"
        raise WrongEncoding(f"text is not UTF-8{guess}", where=str(path), hint=UTF8_HINT)
    return data


def decode(data: bytes) -> str:
    """Lossless: bytes that are not UTF-8 stay in the text as marks that `is_broken` finds.

    Some editors write a second byte-order mark in front of the first."""
    return data.decode("utf-8", errors="surrogateescape").lstrip(_BYTE_ORDER_MARK)


def is_broken(text: str) -> bool:
    return _UNDECODED.search(text) is not None


def encoding_guess(data: bytes) -> str:
    """` (looks like ...)` for a message, or nothing."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
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
