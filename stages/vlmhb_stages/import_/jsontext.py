"""Reads JSON and JSON Lines of other tools: strict about structure, with the place of what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmhb_stages.import_.rows import BadSource
from vlmhb_stages.text import well_formed

_HALVES = re.compile(rb"\\u[dD][89a-fA-F]")


def read_text(path: Path) -> str:
    """UTF-8, with or without BOM, line ends as they are. Raises `BadSource`."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadSource(f"the file is not UTF-8 (byte {error.start})", hint="save it as UTF-8") from error


def parse(text: str | bytes, *, place: str) -> Any:
    """Lone halves of surrogate pairs are replaced: nothing could be written with them.

    Raises `BadSource`; a structure deeper than the interpreter's stack is no log of anybody."""
    try:
        value = json.loads(text)
        return (
            _well_formed(value) if _HALVES.search(text.encode() if isinstance(text, str) else text) else value
        )
    except ValueError as error:
        raise BadSource(f"{place}: not JSON ({error})") from error
    except RecursionError as error:
        raise BadSource(f"{place}: nested too deeply") from error


def _well_formed(value: Any) -> Any:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list):
        return [_well_formed(one) for one in value]
    if isinstance(value, dict):
        return {well_formed(name): _well_formed(one) for name, one in value.items()}
    return value


def lines(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, object) per line; blank lines are none. Only LF ends a line: U+2028 may stand inside one."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            place = f"line {number}"
            yield place, mapping(parse(line, place=place), place=place)


def mapping(value: Any, *, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadSource(f"{place}: not an object")
    return value


def content_text(content: Any) -> str | None:
    """The text of a chat message: a string, or the text parts of a list; None where it has neither.

    Reasoning is a part of its own in these formats and no part of the answer."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [
        str(part.get("text", ""))
        for part in content
        if isinstance(part, Mapping) and part.get("type") == "text"
    ]
    return "\n".join(parts)
