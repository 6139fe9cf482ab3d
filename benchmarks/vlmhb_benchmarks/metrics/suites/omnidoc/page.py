"""Reads the annotation of an OmniDocBench page: its text blocks, formulas and tables in reading order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlmhb_benchmarks.metrics.suites.literals import value_of

_SCORED_TEXT = frozenset(
    {"text_block", "title", "code_txt", "code_txt_caption", "reference"},
)
# Found on the page and matched, so that an answer that has them is not punished, but not scored.
_OPTIONAL_TEXT = frozenset(
    {
        "equation_caption", "figure_caption", "figure_footnote", "table_caption", "table_footnote",
        "code_algorithm", "code_algorithm_caption", "header", "footer", "page_footnote", "page_number",
    }
)  # fmt: skip
_FORMULA = "equation_isolated"
_TABLE = "table"


@dataclass(frozen=True, kw_only=True)
class Block:
    """A piece of the page. `order` is its place in reading order; `is_scored`: missing it costs."""

    text: str
    order: float
    is_scored: bool = True


@dataclass(frozen=True, kw_only=True)
class Page:
    texts: tuple[Block, ...] = ()
    formulas: tuple[Block, ...] = ()
    tables: tuple[Block, ...] = ()


def read_page(reference: str) -> Page | None:
    """None for a text that is no page annotation."""
    value = value_of(reference)
    if not isinstance(value, dict) or not isinstance(value.get("layout_dets"), list):
        return None
    known = [element for element in value["layout_dets"] if isinstance(element, dict)]
    merged = list(_merged(known, chains=_chains(value)))
    return Page(
        texts=_blocks(merged, kinds=_SCORED_TEXT | _OPTIONAL_TEXT, keys=("text",)),
        formulas=_blocks(known, kinds=frozenset({_FORMULA}), keys=("latex", "text")),
        tables=_blocks(known, kinds=frozenset({_TABLE}), keys=("html", "latex")),
    )


def _blocks(
    elements: Sequence[Mapping[str, Any]], *, kinds: frozenset[str], keys: Sequence[str]
) -> tuple[Block, ...]:
    blocks = (
        Block(
            text=text,
            order=_order(element),
            is_scored=element.get("category_type") not in _OPTIONAL_TEXT,
        )
        for element in elements
        if element.get("category_type") in kinds and not element.get("ignore")
        if (text := next((str(element[key]) for key in keys if element.get(key)), ""))
    )
    return tuple(sorted(blocks, key=lambda block: block.order))


def _order(element: Mapping[str, Any]) -> float:
    order = element.get("order")
    return float(order) if isinstance(order, int | float) else 0.0


def _chains(value: Mapping[str, Any]) -> list[set[Any]]:
    """Sets of annotation ids whose texts are one text that a column or page break has cut."""
    extra = value.get("extra")
    relations = extra.get("relation") if isinstance(extra, dict) else None
    chains: list[set[Any]] = []
    for relation in relations if isinstance(relations, list) else ():
        if isinstance(relation, dict) and relation.get("relation_type") == "truncated":
            pair = {relation.get("source_anno_id"), relation.get("target_anno_id")}
            touching = [chain for chain in chains if chain & pair]
            chains = [chain for chain in chains if not chain & pair]
            chains.append(pair.union(*touching))
    return chains


def _merged(
    elements: Sequence[Mapping[str, Any]], *, chains: Sequence[set[Any]]
) -> Iterator[Mapping[str, Any]]:
    chained = {identity for chain in chains for identity in chain}
    yield from (element for element in elements if element.get("anno_id") not in chained)
    for chain in chains:
        parts = sorted((item for item in elements if item.get("anno_id") in chain), key=_order)
        if parts:
            yield {**parts[0], "text": "".join(str(part.get("text") or "") for part in parts)}
