"""OCRBench v2: answers that are a table, a chart or a whole document, compared as trees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MARKDOWN_MARKS = "`markdown"  # the official script strips these characters, not this word


def html_table(answer: str, gold: str) -> float:
    """TEDS from the reply's first `<body` or else `<table` on; 0 where it has neither."""
    flat = answer.replace("\n", "")
    start = flat.find("<body")
    start = flat.find("<table") if start < 0 else start
    return teds(_wrapped(flat[start:]), _wrapped(gold)) if start >= 0 else 0.0


def markdown_table(answer: str, gold: str) -> float:
    """TEDS of both texts read as rows of a pipe table, the second line left out unseen."""
    return teds(_from_markdown(answer), _from_markdown(gold))


def chart(answer: Mapping[Any, Any], gold: Mapping[Any, Any]) -> float:
    """TEDS of two-column tables of the entries; an empty answer is 0."""
    return teds(_from_dict(answer), _from_dict(gold)) if answer else 0.0


def teds(answer: str, gold: str) -> float:
    """TEDS of the tables that stand right below `body`; 0 where either side has none."""
    from vlmhb_benchmarks.metrics.tables.similarity import teds as similarity
    from vlmhb_benchmarks.metrics.tables.tree import tree_of

    tables = (_table(answer), _table(gold))
    trees = [tree_of(table) for table in tables if table is not None]
    first, second = trees if len(trees) == len(tables) else (None, None)
    return 0.0 if first is None or second is None else similarity(first, second)


def _table(html: str) -> Any | None:
    """None too for what libxml2 refuses (control characters, an encoding that is declared and wrong)."""
    from lxml import etree

    from vlmhb_benchmarks.metrics.tables.reading import MAX_CHARS

    if len(html) > MAX_CHARS:
        return None
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True)
    try:
        root = etree.fromstring(html.encode("utf-8", errors="replace"), parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None
    tables = root.xpath("body/table") if root is not None else []
    return tables[0] if tables else None


def _wrapped(html: str) -> str:
    """With the table, body and html tags that are missing."""
    table = html.replace("\n", "")
    opened, closed = "<table" in table, "</table>" in table
    table = table if opened else "<table>" + table
    table = table if closed else table + "</table>"
    table = table if "<body>" in table else f"<body>{table}</body>"
    return table if "<html>" in table else f"<html>{table}</html>"


def _from_markdown(text: str) -> str:
    lines = text.strip(_MARKDOWN_MARKS).strip("`").strip().split("\n")
    rows = (_cells(line) for line in (lines[0], *lines[2:]))
    marked = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return "<html><body><table>" + "".join(f"<tr>{row}</tr>" for row in marked) + "</table></body></html>"


def _cells(line: str) -> list[str]:
    """A cell of blanks keeps one of them; cells before the first and after the last pipe go."""
    cells = line.strip().split("|")[1:-1]
    return [cell.strip() or (" " if cell else "") for cell in cells]


def _from_dict(data: Mapping[Any, Any]) -> str:
    """The official table: a value's characters stand apart, so that edits of short numbers weigh less."""
    rows = (f"  <tr><td>{key}</td><td>{' '.join(str(value))}</td></tr>\n" for key, value in data.items())
    return "<html><body><table>\n" + "".join(rows) + "</table></body></html>"
