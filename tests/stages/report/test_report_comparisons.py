"""Paired tests in the report: who is compared with whom, on what, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_artifacts import Artifacts, make_report, metric, prediction, sample, score
from scipy.stats import binomtest
from vlmhb_stages.contracts import ExtractionRate, MetricValue, PartsEntry, PartsIndex
from vlmhb_stages.parts import ids_digest, write_index, write_part

NAMES = [f"s{number:02d}" for number in range(40)]


def contest(
    root: Path,
    answers: dict[str, Sequence[float]],
    *,
    name: str = "accuracy",
    binary: bool = True,
    extra: int = 0,
    extractions: dict[str, ExtractionRate] | None = None,
    **changes: Any,
) -> list[dict[str, Any]]:
    """The comparisons of evaluations with these per-sample values of one metric. `extra`: further parts a sample."""
    artifacts = []
    for model, values in answers.items():
        ids = NAMES[: len(values)]
        artifacts.append(
            Artifacts(
                id=f"docs-{model}",
                info={"model": model, "benchmark": "docs", "primary": name},
                samples=[sample(sample_id) for sample_id in ids],
                predictions=[prediction(sample_id) for sample_id in ids],
                scores=[score(sample_id, 1.0) for sample_id in ids],
                metrics=[_value(name, float(np.mean(values)), **changes)],
                extraction=(extractions or {}).get(model),
            )
        )
        folder = root / "out" / "in" / f"docs-{model}" / "evaluate"
        folder.mkdir(parents=True)
        columns = [np.array(values, dtype=float), *[np.ones(len(values))] * (1 + extra)]
        parts = np.column_stack(columns)
        write_part(folder, file=f"{name}.npy", parts=parts)
        entry = PartsEntry(
            file=f"{name}.npy",
            version="1",
            width=2 + extra,
            average="mean",
            direction=changes.get("direction", "higher"),
            binary=binary,
        )
        write_index(folder, PartsIndex(planned=len(ids), ids_sha256=ids_digest(ids), metrics={name: entry}))
    made = make_report(root, *artifacts)
    found: list[dict[str, Any]] = made.json()["comparisons"]
    return found


def _value(name: str, value: float, **changes: Any) -> MetricValue:
    return metric(name, value, **{"direction": "higher", **changes})


def test_a_clear_difference_is_told_with_mcnemars_exact_p(tmp_path: Path) -> None:
    good, bad = [1.0] * 36 + [0.0] * 4, [1.0] * 20 + [0.0] * 20
    (pair,) = contest(tmp_path, {"good": good, "bad": bad})
    assert (pair["a"], pair["b"], pair["n"]) == ("docs-good", "docs-bad", 40)
    assert pair["difference"] == pytest.approx(0.4)
    assert pair["ci_low"] < 0.4 < pair["ci_high"]
    assert pair["p_exact"] == pytest.approx(binomtest(0, 16, 0.5).pvalue)
    assert pair["p_adjusted"] == pytest.approx(pair["p_exact"])
    assert pair["better"] == "docs-good"


def test_no_winner_where_chance_explains_it(tmp_path: Path) -> None:
    first, second = [1.0, 0.0] * 20, [0.0, 1.0] * 20
    (pair,) = contest(tmp_path, {"first": first, "second": second})
    assert pair["difference"] == 0
    assert pair["better"] is None


def test_the_lower_one_wins_where_lower_is_better(tmp_path: Path) -> None:
    low, high = [0.1] * 40, [0.1] * 10 + [0.9] * 30
    (pair,) = contest(tmp_path, {"low": low, "high": high}, name="cer", binary=False, direction="lower")
    assert pair["difference"] == pytest.approx(-0.6)
    assert pair["p_exact"] is None
    assert pair["better"] == "docs-low"


def test_three_evaluations_are_compared_in_pairs_and_corrected(tmp_path: Path) -> None:
    good, bad = [1.0] * 36 + [0.0] * 4, [1.0] * 20 + [0.0] * 20
    pairs = contest(tmp_path, {"good": good, "bad": bad, "worse": [0.0] * 40})
    assert [(pair["a"], pair["b"]) for pair in pairs] == [
        ("docs-good", "docs-bad"),
        ("docs-good", "docs-worse"),
        ("docs-bad", "docs-worse"),
    ]
    assert all(pair["p_adjusted"] >= pair["p_exact"] for pair in pairs)
    assert pairs[0]["p_adjusted"] == pytest.approx(max(pair["p_exact"] for pair in pairs))


def test_many_evaluations_are_compared_with_the_best_only(tmp_path: Path) -> None:
    answers = {f"m{number}": [1.0] * (20 + number) + [0.0] * (20 - number) for number in range(9)}
    pairs = contest(tmp_path, answers)
    assert len(pairs) == 8
    assert {pair["a"] for pair in pairs} == {"docs-m8"}


def test_other_samples_are_not_compared(tmp_path: Path) -> None:
    assert contest(tmp_path, {"long": [1.0] * 40, "short": [0.0] * 30}) == []


def test_answers_taken_out_by_another_rule_are_not_compared(tmp_path: Path) -> None:
    def rate(name: str, misses: int) -> ExtractionRate:
        return ExtractionRate(name=name, version="1", answered=40, misses=misses)

    answers = {"a": [1.0] * 40, "b": [0.0] * 40, "c": [0.0] * 40}
    rules = {"a": rate("boxed", 0), "b": rate("boxed", 7), "c": rate("last_line", 0)}
    (pair,) = contest(tmp_path, answers, extractions=rules)
    assert (pair["a"], pair["b"]) == ("docs-a", "docs-b")


def test_a_metric_of_the_users_own_is_compared_as_a_mean(tmp_path: Path) -> None:
    (pair,) = contest(tmp_path, {"good": [0.9] * 40, "bad": [0.2] * 40}, name="our_own", binary=False)
    assert pair["difference"] == pytest.approx(0.7)


def test_a_users_metric_with_another_rule_is_not_compared(tmp_path: Path) -> None:
    """Three parts, as of an F1; or a fraction of which the value is something else, as 1 - rate."""
    answers = {"good": [0.9] * 40, "bad": [0.2] * 40}
    assert contest(tmp_path / "three", answers, name="our_own", binary=False, extra=1) == []
    other = {"averages": {"pooled": 0.5}}
    assert contest(tmp_path / "other", answers, name="our_own", binary=False, **other) == []


def test_the_page_and_the_markdown_show_them(tmp_path: Path) -> None:
    contest(tmp_path, {"good": [1.0] * 40, "bad": [0.0] * 40})
    html = (tmp_path / "out/out/report.html").read_text(encoding="utf-8")
    markdown = (tmp_path / "out/out/report.md").read_text(encoding="utf-8")
    assert 'id="comparisons"' in html and "+1.000" in html
    assert "## Differences" in markdown and "| +1.000 |" in markdown
