"""The page-order metrics, each the mean over documents: ours, and the prototype's with its slips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from vlmhb_benchmarks.metrics.base import MeanMetric, MetricInfo, SampleScore, best, mean_score, undefined
from vlmhb_benchmarks.metrics.ranking import correlation
from vlmhb_benchmarks.metrics.ranking.orders import Order, read_order


@dataclass(frozen=True, kw_only=True)
class OrderMetric(MeanMetric):
    """`measure` of two orders; None: undefined for this document (one page has no order)."""

    measure: Callable[[Order, Order], float | None]

    def score(self, prediction: str, references: Sequence[str]) -> SampleScore:
        """A reference that is no order of distinct pages does not count. An answer without one: 0, flagged."""
        golds = _golds(references)
        if not golds:
            return undefined("invalid_reference" if references else "no_reference")
        answer = read_order(prediction)
        if answer is None:
            return replace(self.missing(references), flag="invalid_structure")
        values = [(text, self.measure(answer, gold)) for text, gold in golds]
        scores = (mean_score(value, matched_reference=text) for text, value in values if value is not None)
        return best(scores, key=lambda value: value) or undefined("empty_reference")

    def missing(self, references: Sequence[str]) -> SampleScore:
        """0: as much as an order without relation to the right one, and the prototype's rule."""
        golds = _golds(references)
        if not golds:
            return undefined("invalid_reference" if references else "no_reference")
        for text, gold in golds:
            if self.measure(gold, gold) is not None:
                return mean_score(0.0, matched_reference=text)
        return undefined("empty_reference")


def _golds(references: Sequence[str]) -> list[tuple[str, Order]]:
    orders = ((text, read_order(text)) for text in references)
    return [(text, order) for text, order in orders if order and len(set(order)) == len(order)]


_READING = (
    'orders are read from JSON (`{"ordered_pages": [...]}` or a list), else from the first list in brackets, else from '
    "all whole numbers of the text"
)
_UPSTREAM = "VLMHyperBench prototype, bench_utils 0.1, calculate_ordering_metrics"


def _info(
    name: str, *, what: str, source: str, lowest: float, empty_rule: str, deviations: str
) -> MetricInfo:
    return MetricInfo(
        name=name,
        version="1",
        direction="higher",
        lowest=lowest,
        highest=1.0,
        description=what,
        source=source,
        empty_rule=empty_rule,
        deviations=f"{deviations}; {_READING}",
    )


_NO_ORDER = "no order in the answer, or no answer: 0; one page: undefined"
_PARTIAL = (
    "as the textbook's for a permutation; where the answer leaves pages out, the coefficient of the pages that it has "
    "times the share of page pairs that they make (invented and repeated pages are left out); the prototype gives 0"
)
_AS_PROTOTYPE = (
    "another number of pages or other pages: 0; each document rounded to 4 digits. The prototype skips unreadable "
    "answers and all documents without exactly 4 pages: here both count"
)

KENDALL_TAU = OrderMetric(
    info=_info(
        "kendall_tau",
        what="Kendall's tau between the pages' positions in the answer and in the right order",
        source="Kendall 1938; scipy.stats.kendalltau over positions",
        lowest=-1.0,
        empty_rule=_NO_ORDER,
        deviations=_PARTIAL,
    ),
    measure=correlation.kendall_tau,
)
SPEARMAN_RHO = OrderMetric(
    info=_info(
        "spearman_rho",
        what="Spearman's rho between the pages' positions in the answer and in the right order",
        source="Spearman 1904; scipy.stats.spearmanr over positions",
        lowest=-1.0,
        empty_rule=_NO_ORDER,
        deviations=f"{_PARTIAL} and correlates page numbers instead of positions",
    ),
    measure=correlation.spearman_rho,
)
PAGE_ACCURACY = OrderMetric(
    info=_info(
        "page_accuracy",
        what="share of positions with the right page, over the longer of both orders",
        source="definition",
        lowest=0.0,
        empty_rule="no order in the answer, or no answer: 0",
        deviations="the prototype gives 0 where the number of pages differs",
    ),
    measure=correlation.page_accuracy,
)
KENDALL_TAU_UPSTREAM = OrderMetric(
    info=_info(
        "kendall_tau_upstream",
        what="kendall_tau as the prototype computes it",
        source=_UPSTREAM,
        lowest=-1.0,
        empty_rule=f"{_NO_ORDER} (nan in the prototype)",
        deviations=_AS_PROTOTYPE,
    ),
    measure=correlation.kendall_tau_upstream,
)
SPEARMAN_RHO_UPSTREAM = OrderMetric(
    info=_info(
        "spearman_rho_upstream",
        what="spearman_rho as the prototype computes it: of page numbers, not of positions",
        source=_UPSTREAM,
        lowest=-1.0,
        empty_rule=f"{_NO_ORDER} (nan in the prototype)",
        deviations=_AS_PROTOTYPE,
    ),
    measure=correlation.spearman_rho_upstream,
)
PAGE_ACCURACY_UPSTREAM = OrderMetric(
    info=_info(
        "page_accuracy_upstream",
        what="share of positions with the right page as the prototype computes it",
        source=_UPSTREAM,
        lowest=0.0,
        empty_rule="no order in the answer, or no answer: 0",
        deviations=_AS_PROTOTYPE,
    ),
    measure=correlation.page_accuracy_upstream,
)
