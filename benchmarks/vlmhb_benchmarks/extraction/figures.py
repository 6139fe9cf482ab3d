"""Numbers in prose, found in linear time."""

from __future__ import annotations

import re

# Every alternative begins with another character and no quantifier overlaps the next, so nothing is tried twice.
_NUMBER = re.compile(r"(?<![\w.,])[-+−]?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?(?!\w)")


def numbers_in(text: str) -> list[str]:
    """Numbers as they are written, without thousands commas, with an ASCII minus."""
    return [match.group().replace(",", "").replace("−", "-") for match in _NUMBER.finditer(text)]


def last_number(text: str) -> str | None:
    found = numbers_in(text)
    return found[-1] if found else None
