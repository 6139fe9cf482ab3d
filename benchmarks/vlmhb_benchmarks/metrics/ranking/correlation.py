"""The numbers behind the page-order metrics: rank correlations by scipy, and shares of right positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vlmhb_benchmarks.metrics.ranking.orders import Order, positions

UPSTREAM_DIGITS = 4
DIGITS = 12  # scipy's tau of two equal orders of five is 0.9999999999999998

Correlation = Callable[[Sequence[int], Sequence[int]], float]


def _kendall(one: Sequence[int], two: Sequence[int]) -> float:
    from scipy.stats import kendalltau

    return float(kendalltau(one, two).statistic)


def _spearman(one: Sequence[int], two: Sequence[int]) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, two).statistic)


def kendall_tau(answer: Order, gold: Order) -> float | None:
    return _covered(answer, gold, correlate=_kendall)


def spearman_rho(answer: Order, gold: Order) -> float | None:
    return _covered(answer, gold, correlate=_spearman)


def page_accuracy(answer: Order, gold: Order) -> float | None:
    """Positions with the right page over the positions of the longer order."""
    return _equal_places(answer, gold) / max(len(answer), len(gold))


def kendall_tau_upstream(answer: Order, gold: Order) -> float | None:
    if not _same_pages(answer, gold):
        return 0.0
    places = positions(gold)
    return (
        _rounded(_kendall(range(len(answer)), [places[page] for page in answer])) if len(gold) > 1 else None
    )


def spearman_rho_upstream(answer: Order, gold: Order) -> float | None:
    """Of the page numbers, not of their positions: the prototype's slip, kept."""
    if not _same_pages(answer, gold):
        return 0.0
    return _rounded(_spearman(gold, answer)) if len(gold) > 1 else None


def page_accuracy_upstream(answer: Order, gold: Order) -> float | None:
    return _rounded(_equal_places(answer, gold) / len(gold)) if _same_pages(answer, gold) else 0.0


def _covered(answer: Order, gold: Order, *, correlate: Correlation) -> float | None:
    """The correlation of the positions of the pages that both orders have, times the share of page pairs they make.

    Invented pages and repetitions are left out, and an order that leaves out pages says nothing of their pairs.
    None for a document of one page: there is nothing to order."""
    if len(gold) < 2:
        return None
    in_gold, in_answer = positions(gold), positions(answer)
    shared = [page for page in gold if page in in_answer]
    if len(shared) < 2:
        return 0.0
    ranks = {page: rank for rank, page in enumerate(sorted(shared, key=in_answer.__getitem__))}
    value = round(correlate([in_gold[page] for page in shared], [ranks[page] for page in shared]), DIGITS)
    return value * len(shared) * (len(shared) - 1) / (len(gold) * (len(gold) - 1))


def _equal_places(answer: Order, gold: Order) -> int:
    return sum(one == two for one, two in zip(answer, gold, strict=False))


def _same_pages(answer: Order, gold: Order) -> bool:
    """Everything else scores 0 in the prototype."""
    return len(answer) == len(gold) and set(answer) == set(gold)


def _rounded(value: float) -> float:
    return round(value, UPSTREAM_DIGITS)
