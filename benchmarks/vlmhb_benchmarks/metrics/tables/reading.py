"""Finds the table of a reply or reference: the first HTML `<table>`, else the first Markdown pipe table."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

# A reply is hostile until read: longer tables are no tables. A dense page is some 50,000 characters.
MAX_CHARS = 200_000

_TABLE = re.compile(r"<table(?=[\s/>])", re.IGNORECASE)
_DELIMITER = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_PIPE = re.compile(r"(?<!\\)\|")
# A `<` that opens no tag is text ("a < b"): in Markdown nobody escapes it.
_BARE_LESS = re.compile(r"<(?!/?[A-Za-z][^<>]*>)")


def find_table(text: str) -> Any | None:
    """The `table` element of the first table in `text`, None where there is none or it is beyond `MAX_CHARS`."""
    start = _TABLE.search(text)
    source = text[start.start() :] if start else markdown_to_html(text)
    return None if source is None or len(source) > MAX_CHARS else parse_table(source)


def parse_table(source: str) -> Any | None:
    """The first table of HTML `source`. libxml2 closes what is left open and cuts what is nested too deeply."""
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(source.encode("utf-8", errors="replace"), parser)
    except etree.ParserError:
        return None
    return None if root is None else next(root.iter("table"), None)


def markdown_to_html(text: str) -> str | None:
    """The first pipe table of `text` with a delimiter row: every row a `tr` of `td`, no `thead`.

    As in GitHub's Markdown the header sets the number of columns: longer rows are cut, shorter ones filled up."""
    lines = text.splitlines()
    for number in range(1, len(lines)):
        header = lines[number - 1]
        if _PIPE.search(header) and "-" in lines[number] and _is_delimiter(lines[number]):
            return _rows(header, lines[number + 1 :])
    return None


def _is_delimiter(line: str) -> bool:
    return len(line) <= MAX_CHARS and _DELIMITER.fullmatch(line) is not None


def _rows(header: str, body: list[str]) -> str:
    first = _cells(header)
    rows = [first]
    for line in body:
        if not _PIPE.search(line):
            break
        cells = _cells(line)
        rows.append((cells + [""] * len(first))[: len(first)])
    marked = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in marked) + "</table>"


def _cells(line: str) -> list[str]:
    inner = line.strip()
    inner = inner.removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return [_BARE_LESS.sub("&lt;", cell.strip().replace("\\|", "|")) for cell in _PIPE.split(inner)]
