"""The page: one file that fetches nothing, runs nothing of the models' making, and says what it must."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from html_page import Page
from report_artifacts import Artifacts, make_report, metric, prediction, sample, score
from vlmhb_stages.contracts import SliceMetrics

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'</style>{{ 7*7 }}"


def one(**changes: Any) -> Artifacts:
    given: dict[str, Any] = {
        "samples": [sample("s1", question="Что написано?", doc_class="счёт")],
        "predictions": [prediction("s1", text="прувет", latency_s=0.5)],
        "scores": [score("s1", 0.4, reference="привет")],
        "metrics": [metric(value=0.4, ci_low=0.1, ci_high=0.7, n=1)],
        **changes,
    }
    return Artifacts(**given)


def hostile() -> Artifacts:
    """Every text that somebody else decides is an attack."""
    bad = metric(value=0.4, name=EVIL, version=EVIL, params={EVIL: EVIL})
    return one(
        id=f"id {EVIL}",
        info={
            "model": f"model {EVIL}", "benchmark": f"bench {EVIL}", "framework": EVIL, "task_type": EVIL,
            "engine": EVIL, "scheduler": EVIL, "isolation": EVIL, "network": EVIL, "not_enforced": [EVIL],
            "warnings": [f"warning {EVIL}"], "tags": [EVIL], "primary": EVIL, "status": "failed",
            "failure": {"stage": EVIL, "code": EVIL, "message": EVIL}, "provenance": {EVIL: [EVIL], "host": EVIL},
            "currency": EVIL,
        },
        samples=[sample(EVIL, question=EVIL, **{EVIL: EVIL}), sample("b")],
        predictions=[
            prediction(EVIL, text=f"answer {EVIL}", latency_s=1, cost=1.0),
            prediction("b", status="error", text=None, error={"kind": "timeout", "message": EVIL}),
        ],
        scores=[score(EVIL, None, reference=f"reference {EVIL}", extracted=EVIL, scores={EVIL: 0.9})],
        metrics=[bad, metric(value=0.1)],
        slices=[SliceMetrics(key=EVIL, value=EVIL, metrics=(bad,))],
    )  # fmt: skip


def test_nothing_that_others_wrote_becomes_markup(tmp_path: Path) -> None:
    clean, attacked = (
        Page(make_report(tmp_path, item, out=name, title=title).text("report.html"))
        for item, name, title in ((one(), "clean", "t"), (hostile(), "attacked", EVIL))
    )
    assert attacked.tags.count("script") == clean.tags.count("script") == 1
    assert "img" not in attacked.tags
    assert attacked.handlers == []
    assert attacked.tags.count("style") == 1
    for part in ("model", "bench", "warning", "answer"):
        assert f"{part} {EVIL}" in attacked.text
    assert "49" not in re.findall(r"\b49\b", attacked.text)


def test_markdown_of_others_is_literal(tmp_path: Path) -> None:
    artifacts = one(info={"model": "a|b\n# c <b>*d*</b>"})
    lines = make_report(tmp_path, artifacts).text("report.md").splitlines()
    row = next(line for line in lines if line.startswith("| docs-ru-rapidocr |"))
    assert r"| a\|b # c \<b\>\*d\*\</b\> |" in row


@pytest.mark.parametrize("make", [one, hostile])
def test_no_external_reference_of_any_kind(tmp_path: Path, make: Callable[[], Artifacts]) -> None:
    artifacts = make()
    artifacts.info = {**artifacts.info, "warnings": ["the server is at https://api.example.org/v1"]}
    html = make_report(tmp_path, artifacts).text("report.html")
    page = Page(html)
    assert "the server is at https://api.example.org/v1" in page.text  # readable, though no link
    assert re.findall(r"(?i)(https?|ftp|wss?):", html.replace("https&#58;", "")) == []
    assert "@import" not in html
    assert "url(" not in html
    assert all(reference.startswith("#") for reference in page.references), page.references
    assert not {"link", "iframe", "object", "embed", "base", "form", "img"} & set(page.tags)


def test_every_link_has_a_target(tmp_path: Path) -> None:
    page = Page(make_report(tmp_path, one(), one(id="second")).text("report.html"))
    assert {reference[1:] for reference in page.references} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_both_values_coverage_and_interval_are_shown(tmp_path: Path) -> None:
    artifacts = one(
        samples=[sample("s1"), sample("s2"), sample("s3")],
        metrics=[metric(value=0.8, value_answered=0.4, ci_low=0.1, ci_high=0.9, n=3, n_error=2)],
    )
    text = Page(make_report(tmp_path, artifacts).text("report.html")).text
    assert "coverage 33.3 %" in text
    assert "CER ↓ (lower is better) primary 0.800 0.100–0.900 0.400 3 2" in text


def test_unknown_times_are_not_measured_rather_than_zero(tmp_path: Path) -> None:
    artifacts = one(predictions=[prediction("s1", text="прувет", imported_from="abc", latency_s=9.0)])
    made = make_report(tmp_path, artifacts)
    text = Page(made.text("report.html")).text
    assert "Latency not measured TTFT not measured TPOT not measured ITL not measured" in text
    assert "Requests / s not measured" in text
    assert "Answers timed 0 and 1 imported, not timed" in text
    assert made.evaluation()["performance"]["latency_s"] is None


def test_worst_sample_shows_the_difference(tmp_path: Path) -> None:
    html = make_report(tmp_path, one()).text("report.html")
    assert "пр<del>и</del>вет" in html
    assert "пр<ins>у</ins>вет" in html
    assert "Что написано?" in html
    assert "doc_class: счёт" in html


def test_what_was_scored_and_the_whole_answer_are_told_apart(tmp_path: Path) -> None:
    artifacts = one(
        predictions=[prediction("s1", text="I think it is: прувет", latency_s=1)],
        scores=[score("s1", 0.4, reference="привет", extracted="прувет")],
    )
    text = Page(make_report(tmp_path, artifacts).text("report.html")).text
    assert "Answer, the part that was scored прувет" in text
    assert "Whole answer I think it is: прувет" in text


def test_control_characters_are_visible_and_harmless(tmp_path: Path) -> None:
    artifacts = one(predictions=[prediction("s1", text="a\x00b\x1b[31m", latency_s=1)])
    html = make_report(tmp_path, artifacts).text("report.html")
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", html)
    assert "␀" in html
    assert "␛" in html


@pytest.mark.parametrize(
    ("info", "statement"),
    [
        (
            {},
            "Each stage ran in a container of its own, without network. "
            "All limits that were asked for were in force.",
        ),
        (
            {"isolation": "venv", "not_enforced": ["memory", "network"]},
            "Stages ran in virtual environments on the host, not in containers, without network. "
            "Asked for but not enforced: memory, network.",
        ),
        (
            {"network": "egress"},
            "Each stage ran in a container of its own, with outgoing network access for inference. "
            "All limits that were asked for were in force.",
        ),
    ],
)  # fmt: skip
def test_isolation_and_network_are_stated(tmp_path: Path, info: dict[str, Any], statement: str) -> None:
    assert statement in Page(make_report(tmp_path, one(info=info)).text("report.html")).text


def test_all_full_marks_has_no_worst_samples(tmp_path: Path) -> None:
    artifacts = one(scores=[score("s1", 0.0)], metrics=[metric(value=0.0)])
    assert "none below full marks" in make_report(tmp_path, artifacts).text("report.html")


def test_sixty_evaluations_make_a_page_of_folded_sections(tmp_path: Path) -> None:
    many = [
        one(id=f"e-{model}-{bench}", info={"model": f"m{model}", "benchmark": f"b{bench}"})
        for model in range(10)
        for bench in range(6)
    ]
    page = Page(make_report(tmp_path, *many).text("report.html"))
    assert page.tags.count("figure") >= 6
    assert {f"e{number}" for number in range(1, 61)} <= set(page.ids)
