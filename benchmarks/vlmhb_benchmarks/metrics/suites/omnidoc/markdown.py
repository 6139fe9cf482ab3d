"""Cuts a Markdown answer into text blocks, display formulas and tables, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_IMAGE = re.compile(r"!\[[^\]\n]*\]\([^)\n]*\)")
_OUTER_FENCE = re.compile(r"\A\s*```(?:markdown|md|html|latex)?[ \t]*\n(.*?)(?:\n```\s*)?\Z", re.DOTALL)
_ELEMENT = re.compile(
    r"(?P<table><table\b.*?</table>)"
    r"|(?P<code>^```[^\n`]*\n.*?(?:^```|\Z))"
    r"|(?P<formula>\$\$.+?\$\$|\\\[.+?\\\]|\\begin\{(?P<kind>equation|align|gather)\*?\}.+?\\end\{(?P=kind)\*?\})"
    r"|(?P<pipes>(?:^[ \t]*\|?[^\n|]+\|[^\n]*\n)[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*(?:\n|\Z)"
    r"(?:^[^\n]*\|[^\n]*(?:\n|\Z))*)",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_CODE_EDGES = re.compile(r"\A```[^\n]*\n|\n?```\Z")
_TITLE = re.compile(r"^\s*#+\s*")
_PARAGRAPH = re.compile(r"\n\s*\n")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """`start` is an offset in the answer, so pieces of all kinds have one order."""

    text: str
    start: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    texts: tuple[Piece, ...] = ()
    formulas: tuple[Piece, ...] = ()
    tables: tuple[Piece, ...] = ()


def read_markdown(answer: str) -> Answer:
    """A table is HTML or has pipes and a line of dashes; LaTeX tables stay text. A code block is one text."""
    fenced = _OUTER_FENCE.match(answer)
    page = _IMAGE.sub("", fenced.group(1) if fenced else answer)
    texts: list[Piece] = []
    formulas: list[Piece] = []
    tables: list[Piece] = []
    position = 0
    for match in _ELEMENT.finditer(page):
        texts.extend(_paragraphs(page[position : match.start()], offset=position))
        piece = Piece(text=match.group(), start=match.start())
        if match["formula"]:
            formulas.append(piece)
        elif match["code"]:
            texts.append(Piece(text=_CODE_EDGES.sub("", match.group()), start=match.start()))
        else:
            tables.append(piece)
        position = match.end()
    texts.extend(_paragraphs(page[position:], offset=position))
    if len(texts) == 1 and not formulas and not tables:
        texts = list(_lines(texts[0]))
    return Answer(texts=tuple(texts), formulas=tuple(formulas), tables=tuple(tables))


def _paragraphs(text: str, *, offset: int) -> Iterator[Piece]:
    """Between blank lines; a title ends its paragraph, as many answers put no blank line below it."""
    start = 0
    for gap in (*_PARAGRAPH.finditer(text), None):
        end = gap.start() if gap else len(text)
        yield from _split_titles(text[start:end], offset=offset + start)
        start = gap.end() if gap else end


def _split_titles(text: str, *, offset: int) -> Iterator[Piece]:
    lines: list[str] = []
    start = place = offset
    for line in text.split("\n"):
        if _TITLE.match(line):
            yield from _piece(lines, start=start)
            yield from _piece([_TITLE.sub("", line)], start=place)
            lines, start = [], place + len(line) + 1
        else:
            lines.append(line)
        place += len(line) + 1
    yield from _piece(lines, start=start)


def _piece(lines: list[str], *, start: int) -> Iterator[Piece]:
    text = "\n".join(line.strip() for line in lines if line.strip())
    if text:
        yield Piece(text=text, start=start)


def _lines(piece: Piece) -> Iterator[Piece]:
    """An answer without a blank line has a block in each line."""
    start = piece.start
    for line in piece.text.split("\n"):
        yield Piece(text=line, start=start)
        start += len(line) + 1
