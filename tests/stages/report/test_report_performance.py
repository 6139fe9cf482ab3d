"""Nearest-rank percentiles, rates over the time with requests in flight, goodput, and what imported records may not
do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_artifacts import prediction, write_lines
from vlmhb_stages.contracts import Counts, InferSummary, Prediction
from vlmhb_stages.report.model import EvaluationInfo, Performance
from vlmhb_stages.report.performance import (
    BINS,
    active_seconds,
    histogram,
    nearest_rank,
    percentiles,
    performance,
)
from vlmhb_stages.report.read import Reader
from vlmhb_stages.report.timings import Timings
from vlmhb_stages.sketch import Sketch
from vlmhb_stages.specs import Slo

SUMMARY = InferSummary(counts=Counts(planned=1, ok=1, error=0), requests=1)


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
    assert (timings.measured, timings.imported, timings.failed) == (2, 1, 1)


def line(sample_id: str, *, started: float, latency_s: float, outcome: str = "ok") -> dict[str, Any]:
    return {
        "sample_id": sample_id,
        "started": started,
        "latency_s": latency_s,
        "outcome": outcome,
        "attempt": 1,
    }


def active(tmp_path: Path, lines: list[dict[str, Any]]) -> float | None:
    path = tmp_path / "attempts.jsonl"
    write_lines(path, lines)
    return active_seconds(path, reader=Reader(), summary=SUMMARY)


def figures(
    *records: Prediction,
    active_s: float | None = None,
    slo: Slo | None = None,
    summary: InferSummary = SUMMARY,
    **info: Any,
) -> Performance:
    timings = Timings(slo=slo or Slo())
    for record in records:
        timings.add(record)
    facts = EvaluationInfo.model_validate({**info, "slo": timings.slo.model_dump()})
    return performance(timings, active_s=active_s, summary=summary, info=facts)


def test_pauses_of_retries_are_active_time_and_an_interruption_is_not(tmp_path: Path) -> None:
    lines = [
        line("a", started=0.0, latency_s=4.0),
        line("b", started=1.0, latency_s=2.0, outcome="error"),
        line("b", started=7.0, latency_s=3.0),
        line("c", started=90_000.0, latency_s=2.0),
        line("d", started=90_001.5, latency_s=2.0),
    ]
    assert active(tmp_path, lines) == 10.0 + 3.5


def test_rates_count_answers_of_this_run_over_the_active_time() -> None:
    records = [
        prediction("a", latency_s=1.0, output_tokens=30),
        prediction("b", latency_s=1.0, output_tokens=20),
    ]
    found = figures(*records, prediction("c", imported_from="x", output_tokens=900), active_s=10.0)
    assert (found.requests_per_s, found.output_tokens_per_s) == (0.2, 5.0)
    unknown = figures(*records, prediction("c", latency_s=1.0, output_tokens=None), active_s=10.0)
    assert (unknown.requests_per_s, unknown.output_tokens_per_s) == (0.3, None)


def test_rates_are_unknown_when_nothing_was_sent(tmp_path: Path) -> None:
    assert active(tmp_path, []) is None
    assert active_seconds(tmp_path / "none", reader=Reader(), summary=None) is None
    found = figures(prediction("a"), active_s=None)
    assert (found.requests_per_s, found.output_tokens_per_s) == (None, None)


def test_without_its_attempts_the_summary_says_how_long_it_was_active(tmp_path: Path) -> None:
    summary = SUMMARY.model_copy(update={"active": ((0.0, 4.0), (100.0, 101.0))})
    assert active_seconds(tmp_path / "none", reader=Reader(), summary=summary) == 5.0


def test_itl_merges_the_sketches_of_all_answers() -> None:
    def gaps(*values: float) -> dict[str, int]:
        sketch = Sketch()
        for value in values:
            sketch.add(value)
        return sketch.to_dict()

    found = figures(
        prediction("a", itl=gaps(0.01, 0.01, 0.01)),
        prediction("b", itl=gaps(0.5)),
        prediction("c", itl=gaps(9.0), imported_from="x"),
        prediction("d"),
    ).itl_s
    assert found is not None
    assert found.n == 4
    assert found.p50 == pytest.approx(0.01, rel=0.005)
    assert found.p90 == pytest.approx(0.5, rel=0.005)


def test_queue_time_is_told_of_failed_requests_too() -> None:
    found = figures(
        prediction("a", queue_s=0.2), prediction("b", status="error", text=None, queue_s=0.4)
    ).queue_s
    assert found is not None
    assert (found.p50, found.p99, found.n) == (0.2, 0.4, 2)


def test_goodput_counts_what_keeps_every_limit_of_all_that_was_asked() -> None:
    slo = Slo(ttft_s=0.5, latency_s=2.0)
    found = figures(
        prediction("good", ttft_s=0.5, latency_s=2.0),
        prediction("slow", ttft_s=0.4, latency_s=2.1),
        prediction("late", ttft_s=0.6, latency_s=1.0),
        prediction("failed", status="error", text=None),
        active_s=10.0,
        slo=slo,
    ).goodput
    assert found is not None
    assert (found.share, found.requests_per_s, found.slo) == (0.25, 0.1, slo)


def test_goodput_is_unknown_where_a_limited_time_is() -> None:
    found = figures(prediction("a", latency_s=1.0), active_s=10.0, slo=Slo(ttft_s=1.0))
    assert found.goodput is None
    assert any("Goodput is not known" in note for note in found.notes)


def test_an_answer_of_one_token_keeps_any_limit_on_the_time_between_tokens() -> None:
    one = prediction("a", latency_s=1.0, ttft_s=0.9, output_tokens=1)
    found = figures(one, active_s=1.0, slo=Slo(tpot_s=0.01)).goodput
    assert found is not None
    assert found.share == 1.0


def test_notes_say_what_a_reader_has_to_know() -> None:
    records = [prediction(f"s{i}", latency_s=1.0, output_tokens=3, tokens_from="usage") for i in range(9)]
    counted = prediction("t", latency_s=1.0, ttft_s=0.1, tpot_s=0.1, output_tokens=3, tokens_from="tokenizer")
    summary = SUMMARY.model_copy(update={"warmup": 4, "engine": {"preemptions": 2.0}})
    found = figures(*records, counted, mode="benchmark", summary=summary)
    told = "\n".join(found.notes)
    assert "Benchmark mode: one request at a time" in told
    assert "Warm-up: 4 requests" in told
    assert "Only 10 answers were timed" in told
    assert "TTFT was not measured for 9 of 10 answers" in told
    assert "counted by tokenizer (1), usage (9)" in told
    assert (found.warmup, found.engine, found.mode) == (4, {"preemptions": 2.0}, "benchmark")
    assert found.tokens_from == {"tokenizer": 1, "usage": 9}


def test_a_note_says_that_figures_are_of_two_models() -> None:
    records = [prediction("a", latency_s=1.0), prediction("b", latency_s=9.0, fallback="other-model")]
    told = "\n".join(figures(*records).notes)
    assert "Times and tokens of fallbacks are in these figures: 1 of 2 answers." in told


def test_enough_streamed_answers_of_one_counter_need_no_note() -> None:
    records = [
        prediction(f"s{i}", latency_s=1.0, ttft_s=0.1, output_tokens=3, tokens_from="usage")
        for i in range(100)
    ]
    assert figures(*records).notes == ()


def test_what_was_sent_differently_is_a_warning() -> None:
    timings = Timings()
    timings.add(prediction("a", adjusted=("schema not enforced",)))
    timings.add(prediction("b"))
    timings.add(prediction("c", itl={"5": -1}))
    assert timings.warnings == (
        "1 of 3 answers: schema not enforced",
        "1 records have unreadable gaps between tokens",
    )


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
