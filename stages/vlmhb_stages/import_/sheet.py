"""Reads the first sheet of an .xlsx file as text, cell for cell as stored: no types, no dates, no missing values.

Office Open XML (ECMA-376): strings are shared or inline, `_xHHHH_` stands for a character that XML cannot carry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, iterparse

from vlmhb_stages.import_.archive import Archive
from vlmhb_stages.import_.rows import BadSource
from vlmhb_stages.text import well_formed

WORKBOOK = "xl/workbook.xml"
STRINGS = "xl/sharedStrings.xml"
CELL_LIMIT = 32_767  # characters that a cell can hold: longer texts were cut when they were written
MAX_GAP = 256  # columns without a cell between two that have one: each costs memory, and nothing in the file
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")  # UTF-16, in which a document type could hide
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_COLUMN = re.compile(r"[A-Z]{1,3}")
_TEXTS = ("s", "inlineStr", "str", "e")  # a formula's text and an error's name are texts here


class Cell(str):
    """The text of a cell, spelled as its writer did."""


class NumberCell(Cell):
    """Of a cell that was not stored as a text: how its writer spelled it is lost."""


def read_sheet(path: Path) -> Iterator[list[Cell]]:
    """The rows, the header among them. Raises `BadSource`."""
    with Archive(path) as archive:
        sheets = sorted(name for name in archive.names if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name))
        if not sheets:
            raise BadSource("no sheet in the workbook")
        name = "xl/worksheets/sheet1.xml" if "xl/worksheets/sheet1.xml" in sheets else sheets[0]
        strings = list(_strings(archive)) if STRINGS in archive.names else []
        for element in _elements(archive.read(name), tag="row", place=name):
            yield _row(element, strings=strings, place=name)


def _strings(archive: Archive) -> Iterator[str]:
    for element in _elements(archive.read(STRINGS), tag="si", place=STRINGS):
        yield _text(element)


def _elements(data: bytes, *, tag: str, place: str) -> Iterator[Element]:
    """One at a time, forgotten afterwards. Entities are not resolved: a document type is refused."""
    if b"<!DOCTYPE" in data or data.startswith(_WIDE):
        raise BadSource(f"{place}: a document type has no place in a sheet")
    try:
        for _, element in iterparse(BytesIO(data), events=("end",)):
            if _local(element) == tag:
                yield element
                element.clear()
    except (ParseError, LookupError, ValueError) as error:  # or an encoding that Python does not read
        raise BadSource(f"{place}: not XML ({error})") from error


def _row(element: Element, *, strings: list[str], place: str) -> list[Cell]:
    cells: list[Cell] = []
    for cell in element:
        if _local(cell) != "c":
            continue
        at = _position(cell.get("r", ""), default=len(cells))
        if at - len(cells) > MAX_GAP:
            raise BadSource(
                f"{place}: cell {cell.get('r')} stands {at - len(cells)} columns behind the one before it"
            )
        cells += [Cell("")] * (at - len(cells))
        cells.append(_cell(cell, strings=strings, place=place))
    return cells


def _cell(cell: Element, *, strings: list[str], place: str) -> Cell:
    kind = cell.get("t", "n")
    parts = {_local(part): part for part in cell}
    if "f" in parts and (parts["f"].text or ""):
        return Cell(
            "=" + _unescape(parts["f"].text or "")
        )  # a text that began with = was taken for a formula
    if kind == "inlineStr":
        return Cell(_text(parts["is"]) if "is" in parts else "")
    value = (parts["v"].text or "") if "v" in parts else ""
    if kind == "s":
        try:
            return Cell(strings[int(value)])
        except (ValueError, IndexError) as error:
            raise BadSource(f"{place}: cell {cell.get('r')} names no shared string") from error
    if kind == "b":
        return NumberCell("True" if value == "1" else "False")
    return Cell(_unescape(value)) if kind in _TEXTS or value == "" else NumberCell(value)


def _text(element: Element) -> str:
    """All runs of a rich text; phonetic hints are no part of it."""
    found = []
    for child in element:
        if _local(child) == "t":
            found.append(child.text or "")
        elif _local(child) == "r":
            found += [part.text or "" for part in child if _local(part) == "t"]
    return _unescape("".join(found))


def _unescape(text: str) -> str:
    """`_x000D_` is CR, `_x005F_` the underscore of a text that looked like an escape itself."""
    if "_x" not in text:
        return text
    return well_formed(_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text))


def _position(reference: str, *, default: int) -> int:
    """0-based column of `AB12`. Cells without one follow each other."""
    found = _COLUMN.match(reference)
    if found is None:
        return default
    number = 0
    for letter in found[0]:
        number = number * 26 + ord(letter) - ord("A") + 1
    return max(number - 1, default)


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
