"""OCRBench v2: a parsed document as a tree of titles and lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

_CLEANINGS = (
    (re.compile(r"<bos>|<eos>|<pad>|<unk>"), ""),
    (re.compile(r"\s##(\S)"), r"\1"),
    (re.compile(r"\\\s"), r"\\"),
    (re.compile(r"\s\*\s\*\s"), "**"),
    (re.compile(r"{\s"), "{"),
    (re.compile(r"\s}"), "}"),
    (re.compile(r"\s}"), "}"),
    (re.compile(r"\\begin\s"), r"\\begin"),
    (re.compile(r"\\end\s"), r"\\end"),
    (re.compile(r"\\end{table}"), r"\\end{table} "),
    (re.compile(r"[\n*_]"), " "),
)
# A longer reply is cut: trees of so many lines take gigabytes to compare, and no page has them.
MAX_LINES = 2_000


@dataclass(eq=False, kw_only=True)
class Node:
    """Mutable while the tree grows."""

    label: str
    children: list[Node] = field(default_factory=list)

    def find(self, label: str) -> Node:
        """The first node with this label, from the top and from the left; the node itself if there is none."""
        return next((node for node in self.walk() if node.label == label), self)

    def walk(self) -> Iterator[Node]:
        """Top down, left to right. A loop, as titles that repeat lines can nest as deep as the text is long."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))


class _Flat(NamedTuple):
    labels: list[str]
    parents: list[int]


def document_score(answer: str, gold: str) -> float:
    """1 - tree edit distance / nodes of the larger tree. Any text may become any other text for nothing; a node of
    blanks matches none, not even its like. So the number of lines under each title counts, not what they say."""
    import numpy as np

    from vlmhb_benchmarks.metrics.tables.tree_distance import shape_of, tree_distance

    one, two = _flat(tree(answer)), _flat(tree(gold))
    blank_one, blank_two = (np.array([not label.split() for label in flat.labels]) for flat in (one, two))
    rename = (blank_one[:, None] | blank_two).astype(np.float64)
    distance = tree_distance(shape_of(one.parents), shape_of(two.parents), rename=rename)
    return 1.0 - distance / max(len(one.labels), len(two.labels))


def tree(text: str) -> Node:
    """Lines below the last title above them; a title that says the same as an earlier node puts them there."""
    root = Node(label="ROOT", children=[Node(label="TITLE")])
    place = root.children[0]
    for line in map(_cleaned, text.split("\n", MAX_LINES)[:MAX_LINES]):
        if not line.startswith("#"):
            place.children.append(Node(label=line))
            continue
        title = line.replace("#", "")
        root.children.append(Node(label=title))
        place = root.find(title or "TITLE")
    return root


def _cleaned(line: str) -> str:
    for pattern, replacement in _CLEANINGS:
        line = pattern.sub(replacement, line)
    return line


def _flat(root: Node) -> _Flat:
    """Labels and parents in postorder; the root's parent is -1."""
    order: list[Node] = []  # parents before children, right before left: postorder backwards
    waiting = [root]
    while waiting:
        order.append(waiting.pop())
        waiting.extend(order[-1].children)
    order.reverse()
    numbers = {id(node): number for number, node in enumerate(order)}
    above = {id(child): numbers[id(node)] for node in order for child in node.children}
    return _Flat(labels=[node.label for node in order], parents=[above.get(id(node), -1) for node in order])
