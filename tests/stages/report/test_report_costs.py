"""Money in the report: exact sums of hand-made records, who paid, and when a cheaper configuration is as good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_artifacts import Artifacts, Made, make_report, metric, prediction, sample, score
from vlmhb_stages.contracts import ImageRef, Sample
from vlmhb_stages.report.advice import advice, withheld
from vlmhb_stages.report.board import board_of, entries_of
from vlmhb_stages.report.charts import log_scale
from vlmhb_stages.report.frontier import tradeoffs
from vlmhb_stages.report.model import Comparison, Cost, EvaluationReport, Percentiles, Performance

PRICED = {
    "currency": "EUR",
    "price": {"currency": "EUR", "input": 2.0, "source": "prices.yaml, 2026-01-02: a list"},
}
RESOURCES = {
    "gpus": {"GPU-1": {"name": "H100", "idle_memory_mib": 500.0, "peak_memory_mib": 40000.0, "mean_util": 81.0,
                       "max_temperature_c": 70, "energy_j": 720000.0}},
    "containers": {"server-0": {"cpu_s": 12.5, "peak_rss_mib": 900.0, "read_mib": 10.0, "written_mib": 1.0}},
    "energy_j": 720000.0, "gpu_seconds": 3600.0, "seconds": 3600.0, "hz": 2.0, "energy_j_per_page": 90.0,
    "seconds_per_page": 0.45,
}  # fmt: skip


def pages(sample_id: str, count: int, doc_class: str) -> Sample:
    images = tuple(ImageRef(path=f"{n}.png", sha256="0", width=9, height=9) for n in range(count))
    return sample(sample_id, doc_class=doc_class).model_copy(update={"images": images})


def priced(**changes: Any) -> Artifacts:
    """Five samples: two paid, one imported, one failed at a price, one never asked."""
    given: dict[str, Any] = {
        "info": {**PRICED, "paid": 0.8, "budget": 1.0, "status": "partial", "over_budget": "VHB506: used up"},
        "samples": [pages("a", 1, "bill"), pages("b", 2, "bill"), pages("c", 1, "letter"), pages("d", 1, "letter"),
                    pages("e", 1, "letter")],
        "predictions": [
            prediction("a", cost=0.25, latency_s=1.0, attempts=2),
            prediction("b", cost=0.35, latency_s=2.0, fallback="spare", adjusted=("images at 50 %",)),
            prediction("c", cost=0.5, imported_from="aa"),
            prediction("d", status="error", text=None, cost=0.1, error={"kind": "timeout", "message": "slow"}),
            prediction("e", status="skipped_budget", text=None, error={"kind": "budget", "message": "none left"}),
        ],
        "attempts": [
            {"sample_id": "a", "attempt": 1, "started": 1.0, "latency_s": 0.5, "outcome": "error",
             "error": {"kind": "rate_limited", "message": "429"}},
            {"sample_id": "a", "attempt": 2, "started": 2.0, "latency_s": 1.0, "outcome": "ok", "error": None},
            {"sample_id": "b", "attempt": 1, "started": 2.0, "latency_s": 2.0, "outcome": "ok", "error": None},
        ],
        **changes,
    }  # fmt: skip
    return Artifacts(**given)


def test_the_sums_are_those_of_the_records(tmp_path: Path) -> None:
    cost = make_report(tmp_path, priced()).evaluation()["cost"]
    assert cost["currency"] == "EUR" and cost["total"] == 1.2
    assert cost["by_operation"] == {"inference": 1.2}
    assert (cost["paid"], cost["imported"]) == (0.8, 0.5)
    assert (cost["priced"], cost["other"]) == (4, 0)
    assert cost["per_sample"] == 0.3
    assert cost["per_page"] == pytest.approx(1.2 / 5)
    assert cost["by_doc_type"] == {
        "bill": {"samples": 2, "total": 0.6},
        "letter": {"samples": 2, "total": 0.6},
    }
    assert cost["source"] == "prices.yaml, 2026-01-02: a list"


def test_how_the_answers_were_got(tmp_path: Path) -> None:
    made = make_report(tmp_path, priced())
    assert made.evaluation()["reliability"] == {
        "requests": 3,
        "retried": 1,
        "errors": {"rate_limited": 1},
        "fallbacks": {"spare": 1},
        "adjusted": {"images at 50 %": 1},
    }
    html = made.text("report.html")
    for said in ("Stand-ins", "images at 50 %", "Stopped by its budget", "VHB506: used up"):
        assert said in html
    assert "Not all answers are of" in made.text("report.md")


def test_machines_of_ones_own_are_paid_by_the_hour(tmp_path: Path) -> None:
    machine = {
        "currency": "EUR",
        "machine_cost": {"gpu_hour": 3.0, "kwh": 0.05},
        "machine_source": "prices.yaml",
    }
    artifacts = priced(
        info={**machine, "resources": RESOURCES},
        samples=[pages("a", 1, "bill"), pages("b", 2, "bill")],
        predictions=[prediction("a", latency_s=1.0), prediction("b", latency_s=2.0)],
    )
    made = make_report(tmp_path, artifacts)
    cost = made.evaluation()["cost"]
    assert cost["total"] == 3.05 and cost["machine"] == {"gpu_hour": 3.0, "kwh": 0.05}
    assert cost["per_sample"] == 1.525 and cost["per_page"] == pytest.approx(3.05 / 3)
    html = made.text("report.html")
    for said in ("40\u202f000", "500", "Energy per page", "Hottest", "200\u00a0Wh", "H100"):
        assert said in html


def test_the_markdown_has_mode_goodput_and_resources_as_the_page_has(tmp_path: Path) -> None:
    artifacts = priced(
        info={"mode": "benchmark", "slo": {"latency_s": 1.5}, "resources": RESOURCES},
        samples=[pages("a", 1, "bill"), pages("b", 2, "bill")],
        predictions=[prediction("a", latency_s=1.0), prediction("b", latency_s=2.0)],
    )
    text = make_report(tmp_path, artifacts).text("report.md").replace("\u00a0", " ").replace("\u202f", "")
    assert "Speed: benchmark mode. Goodput (latency ≤ 1.50 s): 50 % of the requests, " in text
    assert "Only 2 answers were timed" in text
    assert (
        "| H100 GPU-1 | memory 500 MiB idle, 40000 MiB at most, of not measured; used 81.0 %; not measured; "
        "at most 70.0 °C |" in text
    )
    assert (
        "| server-0 | CPU time 12.5 s; memory 900 MiB at most; read 10.0 MiB, written 1.00 MiB |\n"
        "| Energy of the GPUs | 200 Wh; a page 90.0 J |\n| Time | a page 0.45 s; GPUs 1.00 h |\n" in text
    )


def test_without_prices_nothing_is_said_of_money(tmp_path: Path) -> None:
    artifacts = priced(info={}, predictions=[prediction("a", latency_s=1.0)], samples=[pages("a", 1, "x")])
    made = make_report(tmp_path, artifacts)
    assert made.evaluation()["cost"]["total"] is None
    assert 'id="costs"' not in made.text("report.html") and "## Cost" not in made.text("report.md")


def evaluated(
    name: str,
    value: float,
    *,
    cost: float | None,
    latency: float = 1.0,
    low: float = 0.0,
    high: float = 1.0,
    n: int = 30,
) -> EvaluationReport:
    return EvaluationReport.model_validate(
        {
            "id": name, "model": name, "benchmark": "docs", "task_type": "vqa", "engine": "", "scheduler": "",
            "isolation": "", "network": "", "status": "done", "coverage": 1.0, "primary": "ANLS",
            "counts": {"planned": 1, "ok": 1, "error": 0},
            "metrics": (metric("ANLS", value, direction="higher", ci_low=low, ci_high=high, n=n),),
            "cost": Cost(currency="USD", per_sample=cost),
            "performance": Performance(latency_s=Percentiles(p50=latency, p90=latency, p95=latency, p99=latency, n=9)),
        }
    )  # fmt: skip


def compared(a: str, b: str, *, better: str | None) -> Comparison:
    return Comparison(
        benchmark="docs", metric="ANLS", version="1", a=a, b=b, n=9, difference=0.02, ci_low=-0.1, ci_high=0.1,
        p=0.5, p_exact=None, p_adjusted=0.5, better=better,
    )  # fmt: skip


def test_a_cheaper_one_is_advised_only_where_it_is_not_told_apart() -> None:
    best = evaluated("best", 0.9, cost=1.0, low=0.85, high=0.95)
    cheap = evaluated("cheap", 0.88, cost=0.4)
    (one,) = advice([best, cheap], comparisons=[compared("best", "cheap", better=None)])
    assert (one.instead, one.of, one.saves, one.ratio, one.by) == ("cheap", "best", "cost", 0.4, "test")
    assert one.difference == -0.02
    assert advice([best, cheap], comparisons=[compared("best", "cheap", better="best")]) == ()
    (by_interval,) = advice([best, cheap], comparisons=[])
    assert by_interval.by == "interval"
    assert advice([best, evaluated("poor", 0.5, cost=0.1)], comparisons=[]) == ()
    assert advice([best, evaluated("near", 0.9, cost=0.95)], comparisons=[]) == ()
    assert advice([best, evaluated("free?", 0.9, cost=None)], comparisons=[]) == ()
    (fast,) = advice([best, evaluated("fast", 0.88, cost=None, latency=0.25)], comparisons=[])
    assert (fast.saves, fast.ratio) == ("latency", 0.25)


def test_no_advice_from_few_samples() -> None:
    few = [evaluated("best", 0.9, cost=1.0, n=29), evaluated("cheap", 0.88, cost=0.4, n=29)]
    assert advice(few, comparisons=[compared("best", "cheap", better=None)]) == ()
    assert [(one.benchmark, one.n, one.needed) for one in withheld(few)] == [("docs", 29, 30)]
    assert withheld([evaluated("best", 0.9, cost=1.0), evaluated("cheap", 0.88, cost=0.4)]) == ()
    assert withheld([evaluated("best", 0.9, cost=1.0, n=5), evaluated("dear", 0.8, cost=2.0, n=5)]) == ()


def test_equal_values_have_no_best() -> None:
    equal = [evaluated(name, 0.0, cost=None) for name in ("a", "b", "c")]
    assert not any(entry.best for entry in entries_of(equal))
    tied = [evaluated("a", 0.5, cost=None), evaluated("b", 0.5, cost=None), evaluated("c", 0.1, cost=None)]
    assert [entry.best for entry in entries_of(tied)] == [True, True, False]


def test_the_front_is_of_those_that_nobody_beats_in_everything() -> None:
    reports = [
        evaluated("best", 0.9, cost=1.0, latency=2.0),
        evaluated("cheap", 0.8, cost=0.1, latency=2.0),
        evaluated("beaten", 0.7, cost=0.2, latency=3.0),
        evaluated("fast", 0.6, cost=0.9, latency=0.5),
    ]
    (tradeoff,) = tradeoffs(entries_of(reports), currency="USD")
    front = {point.entry.report.id: point.front for point in tradeoff.points}
    assert front == {"best": True, "cheap": True, "beaten": False, "fast": True}
    assert [point.number for point in tradeoff.points] == [1, 2, 3, 4]
    assert [point.cost for point in tradeoff.points] == [1000.0, 100.0, 200.0, 900.0]
    by_cost, by_latency = tradeoff.charts
    assert by_cost.svg.count("point best") == 2 and by_latency.svg.count("point best") == 2
    assert tradeoffs(entries_of(reports[:1]), currency="USD") == ()


def test_costs_that_differ_by_far_are_drawn_by_their_factors() -> None:
    scale = log_scale([0.002, 3.0])
    assert (scale.low, scale.high) == pytest.approx((0.001, 10.0))
    assert scale.share(0.1) == pytest.approx(0.5)


def test_the_leaderboard_is_led_by_the_best_and_knows_the_order_of_the_config() -> None:
    reports = [
        evaluated("poor", 0.1, cost=None),
        evaluated("best", 0.9, cost=None),
        evaluated("mid", 0.5, cost=None),
    ]
    board = board_of(entries_of(reports))
    assert [(row.model, row.number) for row in board.rows] == [("best", 2), ("mid", 3), ("poor", 1)]


def demo(tmp_path: Path, *, n: int = 30) -> Made:
    """Three models on one benchmark, with parts for paired tests left out."""
    made = []
    for number, (name, value, cost) in enumerate(
        (("large", 0.1, 0.02), ("small", 0.12, 0.0005), ("poor", 0.6, 0.001))
    ):
        made.append(
            Artifacts(
                id=f"docs-{name}",
                info={
                    **PRICED,
                    "model": name,
                    "paid": cost * 4,
                    "mode": "throughput",
                    "resources": RESOURCES,
                },
                samples=[pages(sid, 1, "bill") for sid in "abcd"],
                predictions=[prediction(sid, cost=cost, latency_s=1.0 + number) for sid in "abcd"],
                scores=[score(sid, value) for sid in "abcd"],
                metrics=[metric(value=value, ci_low=value - 0.05, ci_high=value + 0.05, n=n)],
            )
        )
    return make_report(tmp_path, *made)


def test_the_page_says_what_a_better_answer_costs(tmp_path: Path) -> None:
    made = demo(tmp_path)
    html = made.text("report.html")
    assert 'id="tradeoff"' in html and 'class="scatter"' in html and "0.025\u00a0×" in html
    (told,) = [item for item in made.json()["advice"] if item["saves"] == "cost"]
    assert (told["instead"], told["of"], told["ratio"], told["by"]) == (
        "docs-small",
        "docs-large",
        0.025,
        "interval",
    )
    assert "docs-small** has 0.025" in made.text("report.md")
    header, first = made.text("summary.csv").splitlines()[:2]
    row = dict(zip(header.split(","), first.split(","), strict=True))
    assert (row["cost"], row["paid"], row["cost_per_sample"], row["currency"]) == (
        "0.08",
        "0.08",
        "0.02",
        "EUR",
    )


def test_the_page_says_why_there_is_no_advice(tmp_path: Path) -> None:
    made = demo(tmp_path, n=4)
    assert made.json()["advice"] == []
    for name in ("report.html", "report.md"):
        assert "No advice on " in made.text(name)
        assert "4 samples are too few to say whether" in made.text(name)
