"""TEDS of two table trees, as the scorer of PubTabNet computes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from vlmhb_benchmarks.metrics.tables.tree import Content, TableTree, read_tree
from vlmhb_benchmarks.metrics.tables.tree_distance import Floats, shape_of, tree_distance

_FIRST_CODE, _CODES = 0xD800, 2048  # surrogates: no text from an HTML parser holds any


def teds(answer: TableTree, gold: TableTree) -> float:
    return _similarity(answer, gold, structure_only=False)


def teds_struct(answer: TableTree, gold: TableTree) -> float:
    return _similarity(answer, gold, structure_only=True)


def teds_of_html(prediction: str, reference: str, *, structure_only: bool = False) -> float | None:
    """TEDS of the first table of each text; 0 where only the prediction has none, None where the reference has."""
    gold = read_tree(reference)
    if gold is None:
        return None
    answer = read_tree(prediction)
    return 0.0 if answer is None else _similarity(answer, gold, structure_only=structure_only)


def _similarity(answer: TableTree, gold: TableTree, *, structure_only: bool) -> float:
    """1 - distance / elements of the larger table, not below 0."""
    same_shape = answer.parents == gold.parents and answer.labels == gold.labels
    if same_shape and (structure_only or answer.contents == gold.contents):
        return 1.0
    rename = rename_costs(answer, gold, structure_only=structure_only)
    distance = tree_distance(shape_of(answer.parents), shape_of(gold.parents), rename=rename)
    return max(0.0, 1.0 - distance / max(answer.elements, gold.elements))


def rename_costs(answer: TableTree, gold: TableTree, *, structure_only: bool) -> Floats:
    """Of each node of the answer to each node of the gold table, in postorder."""
    costs = _label_costs(answer, gold)
    if not structure_only:
        _add_content_costs(costs, answer, gold)
    return costs


def _label_costs(answer: TableTree, gold: TableTree) -> Floats:
    numbers = {label: number for number, label in enumerate({*answer.labels, *gold.labels})}
    one, two = (np.array([numbers[label] for label in tree.labels]) for tree in (answer, gold))
    costs: Floats = (one[:, None] != two).astype(np.float64)
    return costs


def _add_content_costs(rename: Floats, answer: TableTree, gold: TableTree) -> None:
    """Cells with equal spans: edits over the longer content. Each pair of texts is compared once."""
    cells_of_one = [node for node, content in enumerate(answer.contents) if content is not None]
    cells_of_two = [node for node, content in enumerate(gold.contents) if content is not None]
    codes: dict[str, str] = {}
    one = _encoded((answer.contents[node] for node in cells_of_one), codes=codes)
    two = _encoded((gold.contents[node] for node in cells_of_two), codes=codes)
    if not one or not two:
        return
    costs = _distances(one, two)
    cells = np.ix_(cells_of_one, cells_of_two)
    rename[cells] = np.where(rename[cells] > 0.0, 1.0, costs)


def _distances(one: Sequence[str], two: Sequence[str]) -> Floats:
    rows, columns = _numbered(one), _numbered(two)
    unique: Floats = cdist(
        list(rows), list(columns), scorer=Levenshtein.normalized_distance, dtype=np.float64, workers=1
    )
    return unique[np.ix_([rows[text] for text in one], [columns[text] for text in two])]


def _numbered(texts: Sequence[str]) -> dict[str, int]:
    return {text: number for number, text in enumerate(dict.fromkeys(texts))}


def _encoded(contents: Iterable[Content | None], *, codes: dict[str, str]) -> list[str]:
    """Contents as strings: a tag inside a cell counts as one character, as in the official scorer."""
    return [
        content if isinstance(content, str) else "".join(_code(token, codes=codes) for token in content or ())
        for content in contents
    ]


def _code(token: str, *, codes: dict[str, str]) -> str:
    if len(token) == 1:
        return token
    return codes.setdefault(token, chr(_FIRST_CODE + min(len(codes), _CODES - 1)))
