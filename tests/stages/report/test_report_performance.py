"""Nearest-rank percentiles, throughput of the last start, and what imported records may not do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_artifacts import prediction, write_lines
from vlmhb_stages.contracts import Counts, InferSummary
from vlmhb_stages.report.performance import (
    BINS,
    Throughput,
    Timings,
    histogram,
    nearest_rank,
    percentiles,
    throughput,
)
from vlmhb_stages.report.read import Reader
from vlmhb_stages.report.tally import Tally


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([15, 20, 35, 40, 50], 5, 15),
        ([15, 20, 35, 40, 50], 30, 20),
        ([15, 20, 35, 40, 50], 40, 20),
        ([15, 20, 35, 40, 50], 50, 35),
        ([15, 20, 35, 40, 50], 100, 50),
        (list(range(1, 11)), 90, 9),
        (list(range(1, 101)), 99, 99),
        (list(range(1, 102)), 99, 100),
        ([7], 99, 7),
        ([1, 2], 50, 1),
    ],
)
def test_nearest_rank(values: list[float], percent: int, expected: float) -> None:
    """The first five are the textbook example of the nearest-rank method; index = ceil(n p / 100) - 1."""
    assert nearest_rank(values, percent) == expected


def test_percentiles_sort_and_need_a_value() -> None:
    found = percentiles([3.0, 1.0, 2.0])
    assert found is not None
    assert (found.p50, found.p90, found.p99, found.n) == (2.0, 3.0, 3.0, 3)
    assert percentiles([]) is None


def test_only_answered_records_of_this_run_are_timed() -> None:
    timings = Timings()
    timings.add(prediction("a", latency_s=1.0))
    timings.add(prediction("b", latency_s=5.0, imported_from="other"))
    timings.add(prediction("c", status="error", text=None, latency_s=600.0))
    timings.add(prediction("d", status="truncated", latency_s=2.0, ttft_s=0.5))
    assert list(timings.latency) == [1.0, 2.0]
    assert list(timings.ttft) == [0.5]
    assert (timings.measured, timings.imported) == (2, 1)


def measure(
    tmp_path: Path, lines: list[dict[str, Any]], *, requests: int, tokens: dict[str, int | None]
) -> Throughput:
    path = tmp_path / "attempts.jsonl"
    write_lines(path, lines)
    summary = InferSummary(counts=Counts(planned=1, ok=1, error=0), requests=requests)
    return throughput(path, reader=Reader(), summary=summary, timings=Timings(tokens=tokens))


def line(sample_id: str, *, started: float, latency_s: float, outcome: str = "ok") -> dict[str, Any]:
    return {
        "sample_id": sample_id,
        "started": started,
        "latency_s": latency_s,
        "outcome": outcome,
        "attempt": 1,
    }


def test_an_imported_answer_costs_nothing_again() -> None:
    tally = Tally(wanted=frozenset())
    tally.add(prediction("a", cost=0.25))
    tally.add(prediction("b", cost=0.5, imported_from="aa"))
    assert tally.cost(currency="EUR").total == 0.25


def test_throughput_counts_answers_over_wall_time_failures_included(tmp_path: Path) -> None:
    lines = [
        line("a", started=0.0, latency_s=4.0),
        line("b", started=1.0, latency_s=2.0, outcome="error"),
        line("b", started=5.0, latency_s=5.0),
    ]
    found = measure(tmp_path, lines, requests=3, tokens={"a": 30, "b": 20})
    assert (found.requests_per_s, found.output_tokens_per_s) == (0.2, 5.0)


def test_throughput_of_a_resumed_stage_is_that_of_its_last_start(tmp_path: Path) -> None:
    lines = [line("a", started=0.0, latency_s=1.0)]
    lines += [line(name, started=90_000.0 + i, latency_s=1.0) for i, name in enumerate("bcde")]
    found = measure(tmp_path, lines, requests=4, tokens=dict.fromkeys("abcde"))
    assert (found.requests_per_s, found.output_tokens_per_s) == (1.0, None)


def test_throughput_is_unknown_when_nothing_was_sent(tmp_path: Path) -> None:
    assert measure(tmp_path, [], requests=0, tokens={}) == Throughput()
    assert measure(tmp_path, [], requests=5, tokens={}) == Throughput()
    failed = [line("a", started=0.0, latency_s=1.0, outcome="error")]
    assert measure(tmp_path, failed, requests=1, tokens={}) == Throughput()


def test_histogram_keeps_every_value_and_names_the_tail() -> None:
    values = [1.0] * 150 + [2.0] * 49 + [1000.0]
    found = histogram(values)
    assert found is not None
    assert sum(found.counts) == 200
    assert len(found.counts) == BINS
    assert (found.upper, found.over) == (2.0, 1)
    assert found.counts[-1] == 50


def test_histogram_needs_a_spread() -> None:
    assert histogram([1.0]) is None
    assert histogram([0.0, 0.0]) is None
