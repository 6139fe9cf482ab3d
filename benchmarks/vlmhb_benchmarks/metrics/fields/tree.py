"""Donut's tree edit distance accuracy of a JSON answer: 1 - distance / distance of an empty answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, best, mean_score, ratio, undefined
from vlmhb_benchmarks.metrics.distance import levenshtein
from vlmhb_benchmarks.metrics.fields.hits import leaf_text, unboxed, unwrapped
from vlmhb_benchmarks.metrics.json_answer import find_json


@dataclass(frozen=True, kw_only=True)
class Node:
    """A key, a `subtree` of a list, or a leaf with its text."""

    label: str
    is_leaf: bool = False
    children: tuple[Node, ...] = field(default=())

    @property
    def cost(self) -> int:
        """Of adding or removing this node alone."""
        return len(self.label) if self.is_leaf else 1


def tree_accuracy(answer: Any, gold: Any) -> float | None:
    """max(0, 1 - TED(answer, gold) / TED(nothing, gold)); None where the gold tree is empty and the answer is not.

    An answer whose nodes cost twice the gold's or more is at least as far away as nothing is, hence 0 at once: the
    time of a distance is bounded by the gold, not by what a model writes."""
    answer_tree, gold_tree = _tree(_normalised(unwrapped(answer))), _tree(_normalised(unwrapped(gold)))
    if answer_tree == gold_tree:
        return 1.0
    answer_cost, gold_cost = _cost_below(answer_tree), _cost_below(gold_tree)
    if gold_cost == 0:
        return None
    if answer_cost >= 2 * gold_cost:
        return 0.0
    return max(0.0, 1.0 - _distance(answer_tree, gold_tree) / gold_cost)


def _distance(first: Node, second: Node) -> float:
    from apted import APTED

    return float(APTED(first, second, _costs()).compute_edit_distance())


@cache
def _costs() -> Any:
    """Costs of the Donut scorer. A class in a function, as its base stands in a package that is imported late."""
    from apted import Config

    class Costs(Config):  # type: ignore[misc]  # apted has no types
        def delete(self, node: Node) -> int:
            return node.cost

        def insert(self, node: Node) -> int:
            return node.cost

        def rename(self, node1: Node, node2: Node) -> int:
            if node1.is_leaf and node2.is_leaf:
                return levenshtein(node1.label, node2.label)
            if node1.is_leaf or node2.is_leaf:
                return 1 + len(node1.label if node1.is_leaf else node2.label)
            return int(node1.label != node2.label)

        def children(self, node: Node) -> tuple[Node, ...]:
            return node.children

    return Costs()


def _cost_below(root: Node) -> int:
    return sum(node.cost for child in root.children for node in _nodes(child))


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def _normalised(value: Any) -> Any:
    """Keys in order of (length, text), every value in a list, texts stripped, empty values gone."""
    value = unboxed(value)
    if isinstance(value, dict):
        ordered = sorted(value, key=lambda key: (len(key), key))
        children = {key: _normalised(value[key]) for key in ordered}
        return {
            key: child if isinstance(child, list) else [child] for key, child in children.items() if child
        }
    if isinstance(value, list):
        if all(isinstance(item, dict) for item in value):
            return [item for item in map(_normalised, value) if item]
        texts = (leaf_text(item).strip() for item in value if not isinstance(item, dict | list))
        return [text for text in texts if text]
    text = leaf_text(value).strip()
    return [text] if text else []


def _tree(value: Any, *, label: str = "<root>") -> Node:
    if isinstance(value, dict):
        return Node(label=label, children=tuple(_tree(child, label=key) for key, child in value.items()))
    if all(isinstance(item, dict) for item in value):
        return Node(label=label, children=tuple(_tree(item, label="<subtree>") for item in value))
    return Node(label=label, children=tuple(Node(label=text, is_leaf=True) for text in value))


@dataclass(frozen=True, kw_only=True)
class TreeAccuracy:
    """The mean of the documents' tree accuracy; the best reference counts. Parts: value, 1."""

    info: MetricInfo

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        if not references:
            return undefined("no_reference")
        golds = self._golds(references)
        if not golds:
            return undefined("invalid_reference")
        answer = find_json(prediction)
        if answer is None:
            missing = self.missing(references)
            return SampleScore(
                value=missing.value,
                parts=missing.parts,
                matched_reference=missing.matched_reference,
                flag=missing.flag or "invalid_json",
            )
        scores = (
            mean_score(value, matched_reference=text)
            for text, gold in golds.items()
            if (value := tree_accuracy(answer, gold)) is not None
        )
        return best(scores, key=lambda value: value) or undefined("empty_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        if not references:
            return undefined("no_reference")
        golds = self._golds(references)
        real = [text for text, gold in golds.items() if tree_accuracy({}, gold) != 1.0]  # 1: it is empty too
        if real:
            return mean_score(0.0, matched_reference=real[0])
        return undefined("empty_reference" if golds else "invalid_reference")

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)

    def _golds(self, references: Sequence[str]) -> Mapping[str, Any]:
        golds = ((text, find_json(text)) for text in references)
        return {text: gold for text, gold in golds if gold is not None}


KIE_TED = TreeAccuracy(
    info=MetricInfo(
        name="kie_ted",
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description="tree edit distance accuracy: max(0, 1 - distance / distance of an empty answer)",
        source="Kim et al. 2022 (Donut, arXiv:2111.15664), JSONParseEvaluator",
        empty_rule="empty gold and empty answer: 1; empty gold alone: undefined, flagged; no JSON, or missing: 0",
        heavy=True,
        deviations=(
            "values as written (Donut prints numbers as Python does: 1.50 as 1.5), true and false in lower case, "
            "null is an empty value (Donut: the text None), text around the JSON is forgiven"
        ),
    )
)
