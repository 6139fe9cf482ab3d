"""OmniDocBench: the metrics of text, formulas, tables and reading order, a page each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from vlmhb_benchmarks.metrics.base import MetricInfo, SampleScore, mean_score, ratio, undefined
from vlmhb_benchmarks.metrics.suites.omnidoc.markdown import Answer, read_markdown
from vlmhb_benchmarks.metrics.suites.omnidoc.page import Page, read_page
from vlmhb_benchmarks.metrics.suites.omnidoc.scores import (
    Total,
    formula_edits,
    order_edits,
    table_similarity,
    text_edits,
)


@dataclass(frozen=True, kw_only=True)
class OmniDocScore:
    """The mean over the pages that have the element (`mean`), or over the elements themselves (`micro`)."""

    info: MetricInfo
    compare: Callable[[Page, Answer], Total | None]

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """A page without the element is left out, as in the official scorer, and flagged."""
        if not references:
            return undefined("no_reference")
        page = read_page(references[0])
        if page is None:
            return undefined("invalid_reference")
        total = self.compare(page, read_markdown(prediction))
        if total is None or not total.size:
            return undefined("empty_reference")
        value = total.amount / total.size
        if self.info.average == "mean":
            return mean_score(value, matched_reference=references[0])
        return SampleScore(value=value, parts=tuple(total), matched_reference=references[0])

    def missing(self, references: Sequence[str]) -> SampleScore:
        """What an empty answer gets: every element of the page is missed."""
        return self.score("", references)

    def from_totals(self, totals: Sequence[float]) -> float | None:
        return ratio(totals)


_SOURCE = "Ouyang et al. 2024 (OmniDocBench, arXiv:2412.07626), end-to-end evaluation, v1.0: {}"
_PARSING = (
    "NOT equal to the official scorer: blocks are paired by one assignment over normalised edit distances and then "
    "joined with unmatched neighbours (official: quick_match), LaTeX tables stay text, inline formulas stay LaTeX; "
)


def _info(
    name: str,
    *,
    what: str,
    part: str,
    deviations: str,
    direction: Literal["higher", "lower"] = "lower",
    average: Literal["mean", "micro"] = "mean",
) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction=direction,
        lowest=0.0,
        highest=1.0,
        description=what,
        source=_SOURCE.format(part),
        empty_rule="a page without the element: undefined, flagged; empty or missing answer: the element is missed",
        average=average,
        heavy=True,
        deviations=_PARSING + deviations,
    )


OMNIDOC_TEXT = OmniDocScore(
    info=_info(
        "omnidoc_text",
        what="edits / characters over the text blocks of a page, mean over pages; invented text counts",
        part="text block Edit_dist",
        deviations="headers, footers and captions are matched but not scored, as official",
    ),
    compare=text_edits,
)
OMNIDOC_TABLE = OmniDocScore(
    info=_info(
        "omnidoc_table",
        what="TEDS of the page's tables, mean over tables; th as td, no sections, no looks",
        part="table TEDS",
        direction="higher",
        average="micro",
        deviations="tables that the page does not have cost nothing, as official",
    ),
    compare=table_similarity,
)
OMNIDOC_FORMULA = OmniDocScore(
    info=_info(
        "omnidoc_formula",
        what="edits / characters over the display formulas of a page after normalisation, mean over pages",
        part="display formula Edit_dist",
        deviations="CDM, the headline of v1.5 and later, is not computed (it renders with LaTeX)",
    ),
    compare=formula_edits,
)
OMNIDOC_ORDER = OmniDocScore(
    info=_info(
        "omnidoc_order",
        what="edits between the order of the page's text blocks and the answer's / blocks, mean over pages",
        part="reading order Edit_dist",
        deviations="a block that is missing is an edit",
    ),
    compare=order_edits,
)
