"""The table metrics: TEDS, TEDS-struct, GriTS-top and GriTS-con, each the mean over tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vlmhb_benchmarks.metrics.base import (
    Flag,
    MeanMetric,
    MetricInfo,
    SampleScore,
    best,
    mean_score,
    undefined,
)


@dataclass(frozen=True, kw_only=True)
class TableMetric(MeanMetric):
    """`read` finds the table of a text (None: there is none), `similarity` compares answer and gold, 0..1."""

    read: Callable[[str], Any | None]
    similarity: Callable[[Any, Any], float]

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """A reference without a table does not count; an answer without one scores 0 and is flagged."""
        if not references:
            return undefined("no_reference")
        golds = [(text, gold) for text in references if (gold := self.read(text)) is not None]
        if not golds:
            return undefined("invalid_reference")
        answer = self.read(prediction)
        if answer is None:
            return _zero(golds[0][0], flag="invalid_structure")
        scores = (mean_score(self.similarity(answer, gold), matched_reference=text) for text, gold in golds)
        return best(scores, key=lambda value: value) or undefined("invalid_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        if not references:
            return undefined("no_reference")
        gold = next((text for text in references if self.read(text) is not None), None)
        return undefined("invalid_reference") if gold is None else _zero(gold, flag=None)


def _zero(reference: str, *, flag: Flag | None) -> SampleScore:
    return replace(mean_score(0.0, matched_reference=reference), flag=flag)


# The scorers need numpy, lxml and rapidfuzz: imported when a table is scored, not when metrics are listed.
def _read_tree(text: str) -> Any | None:
    from vlmhb_benchmarks.metrics.tables.tree import read_tree

    return read_tree(text)


def _read_grid(text: str) -> Any | None:
    from vlmhb_benchmarks.metrics.tables.grid import read_grid

    return read_grid(text)


def _teds(answer: Any, gold: Any) -> float:
    from vlmhb_benchmarks.metrics.tables.similarity import teds

    return teds(answer, gold)


def _teds_struct(answer: Any, gold: Any) -> float:
    from vlmhb_benchmarks.metrics.tables.similarity import teds_struct

    return teds_struct(answer, gold)


def _grits_top(answer: Any, gold: Any) -> float:
    from vlmhb_benchmarks.metrics.tables.substructure import grits_top

    return grits_top(answer, gold)


def _grits_con(answer: Any, gold: Any) -> float:
    from vlmhb_benchmarks.metrics.tables.substructure import grits_con

    return grits_con(answer, gold)


_READING = (
    "the table is the first `<table>` anywhere in the reply (prose, fences and missing html/body tags do not matter), "
    "else the first Markdown pipe table (rows of `td`, no `thead`)"
)
_TEDS_SOURCE = "Zhong et al. 2020 (arXiv:1911.10683); scorer of PubTabNet, src/metric.py"
_GRITS_SOURCE = "Smock et al. 2022 (arXiv:2203.12555), factored 2D-MSS; grits.py of table-transformer"
_TEDS_DEVIATIONS = (
    f"official: {_READING}; the official scorer gives 0 without html/body and can fall below 0, here the floor is 0; "
    "more than 2,500 nodes or 40 levels are no table. As official: `th` is a node of its own and never equals `td`, "
    "thead/tbody are nodes, attributes other than spans do not count, only the first table does. "
    "OmniDocBench turns th into td and drops thead (1 where we give less); CC-OCR in VLMEvalKit deletes all blanks "
    "first, so attributes destroy a tag (0) and `New York` equals `NewYork`"
)
_GRITS_DEVIATIONS = (
    f"{_READING}; the longest common subsequence is the paper's, where the authors' script takes difflib's blocks "
    "(never longer); rowspan ends with the table, overlaps go to the earlier cell, holes are empty cells, where the "
    "script fails; more than 4,000 positions are no table"
)


def _info(name: str, *, what: str, source: str, deviations: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=0.0,
        highest=1.0,
        description=what,
        source=source,
        empty_rule="no table in the answer, or no answer: 0; no table in any reference: undefined",
        heavy=True,
        deviations=deviations,
    )


TEDS = TableMetric(
    info=_info(
        "teds",
        what="1 - tree edit distance / elements of the larger table; cells by normalised edit distance",
        source=_TEDS_SOURCE,
        deviations=_TEDS_DEVIATIONS,
    ),
    read=_read_tree,
    similarity=_teds,
)
TEDS_STRUCT = TableMetric(
    info=_info(
        "teds_struct",
        what="TEDS of the structure only: tags and spans, no cell content",
        source=_TEDS_SOURCE + ", structure_only",
        deviations=_TEDS_DEVIATIONS,
    ),
    read=_read_tree,
    similarity=_teds_struct,
)
GRITS_TOP = TableMetric(
    info=_info(
        "grits_top",
        what="F-score of the most similar substructures: cells' spans (topology)",
        source=_GRITS_SOURCE,
        deviations=_GRITS_DEVIATIONS,
    ),
    read=_read_grid,
    similarity=_grits_top,
)
GRITS_CON = TableMetric(
    info=_info(
        "grits_con",
        what="F-score of the most similar substructures: cells' texts (content)",
        source=_GRITS_SOURCE,
        deviations=_GRITS_DEVIATIONS,
    ),
    read=_read_grid,
    similarity=_grits_con,
)
