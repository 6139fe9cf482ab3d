"""A table as the ordered tree that TEDS compares: what counts as a node, its label and its content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from lxml import etree

from vlmhb_benchmarks.metrics.tables.reading import find_table

# Beyond these an answer is no table: 2,500 nodes are 100 rows of 24 cells, and real tables are 5 levels deep.
MAX_NODES = 2_500
MAX_DEPTH = 40

Content = str | tuple[str, ...]  # characters, or characters and tags ("<b>", "</b>")


class Label(NamedTuple):
    """What must be equal for two nodes to match. Spans are those of a `td`, None for other nodes."""

    tag: str
    colspan: int | None = None
    rowspan: int | None = None


@dataclass(frozen=True, kw_only=True)
class TableTree:
    """Nodes in postorder. `parents` has -1 for the root; `contents` has None for all but `td`.

    `elements` counts the elements below the table, the inline ones inside cells too: TEDS divides by it."""

    labels: tuple[Label, ...]
    contents: tuple[Content | None, ...]
    parents: tuple[int, ...]
    elements: int


def read_tree(text: str) -> TableTree | None:
    """The tree of the first table in `text`; None where there is none, or one that no real document has."""
    table = find_table(text)
    return None if table is None else tree_of(table)


def tree_of(table: Any) -> TableTree | None:
    """The tree below a `table` element: a `td` is a leaf, all other elements are nodes (`th` and its tags too)."""
    labels: list[Label] = []
    contents: list[Content | None] = []
    parents: list[int] = []
    pending: list[list[int]] = []  # children, waiting for their parent's number, of each open node
    for event, node in _nodes(table):
        if event == "start":
            if len(pending) >= MAX_DEPTH:
                return None
            pending.append([])
            continue
        for child in pending.pop():
            parents[child] = len(labels)
        if pending:
            pending[-1].append(len(labels))
        is_cell = node.tag == "td"
        labels.append(_cell_label(node) if is_cell else Label(tag=node.tag))
        contents.append(_content(node) if is_cell else None)
        parents.append(-1)
        if len(labels) > MAX_NODES:
            return None
    elements = sum(1 for _ in table.iterdescendants("*"))
    return TableTree(
        labels=tuple(labels), contents=tuple(contents), parents=tuple(parents), elements=elements
    )


def _nodes(table: Any) -> Iterator[tuple[str, Any]]:
    """Starts and ends of the nodes, without what lies inside a `td`."""
    walker = etree.iterwalk(table, events=("start", "end"))
    for event, node in walker:
        if event == "start" and node.tag == "td":
            walker.skip_subtree()
        yield event, node


def _cell_label(cell: Any) -> Label:
    return Label(tag="td", colspan=_span(cell.get("colspan")), rowspan=_span(cell.get("rowspan")))


def _span(value: str | None) -> int:
    """Python's reading of an integer, as in the official scorer, which fails on anything else: here that is 1."""
    if value is None or len(value) > 20:
        return 1
    try:
        return int(value)
    except ValueError:
        return 1


def _content(cell: Any) -> Content:
    """The characters and tags between `<td>` and `</td>`, as the official scorer splits them."""
    if not len(cell):
        return cell.text or ""
    tokens: list[str] = []
    for event, node in etree.iterwalk(cell, events=("start", "end")):
        if event == "start":
            tokens.append(f"<{node.tag}>")
            tokens.extend(node.text or "")
        else:
            if node.tag != "unk":
                tokens.append(f"</{node.tag}>")
            if node.tag != "td":
                tokens.extend(node.tail or "")
    return tuple(tokens[1:-1])
