"""Names that can be the name of a folder."""

from __future__ import annotations

import os
import re

MAX = 100  # characters
_MAX_BYTES = 200  # file systems take 255 bytes for a name, and something is added to it
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # what Windows does not take for a file


def slug(text: str, *, empty: str = "evaluation") -> str:
    """Lower case; letters of any script, digits, dots and underscores stay, the rest becomes one hyphen."""
    name = re.sub(r"[^\w.]+", "-", text.casefold()).strip("-.")
    return usable(name[:MAX].rstrip("-.")) or empty


def usable(name: str) -> str:
    """`name`, cut to what file systems take, and none that Windows takes for a device."""
    short = cut(name, to=_MAX_BYTES)
    return f"{short}-" if _DEVICES.fullmatch(short.casefold()) else short


def cut(text: str, *, to: int) -> str:
    """The beginning of `text` that takes at most `to` bytes."""
    return os.fsencode(text)[:to].decode(errors="ignore")
