"""The headline tables and charts: who is best, which way round, and on which scale."""

from __future__ import annotations

from typing import Any

import pytest
from report_artifacts import metric
from vlmhb_stages.contracts import Counts, SliceMetrics
from vlmhb_stages.report.board import MAX_SLICES, board_of, entries_of, heat_maps
from vlmhb_stages.report.charts import Scale, bar, nice_scale
from vlmhb_stages.report.model import EvaluationReport
from vlmhb_stages.report.panels import panels_of


def report(
    model: str, benchmark: str, value: float | None, *, name: str = "CER", **changes: Any
) -> EvaluationReport:
    direction = changes.pop("direction", "lower")
    given: dict[str, Any] = {
        "id": f"{benchmark}-{model}", "model": model, "benchmark": benchmark, "task_type": "ocr", "engine": "docker",
        "scheduler": "local", "isolation": "container", "network": "none", "status": "done", "coverage": 1.0,
        "counts": Counts(planned=4, ok=4, error=0), "primary": name,
        "metrics": (metric(name, value, direction=direction),), **changes,
    }  # fmt: skip
    return EvaluationReport(**given)


def best(*reports: EvaluationReport) -> list[str]:
    return [entry.report.id for entry in entries_of(reports) if entry.best]


def test_best_follows_the_direction() -> None:
    assert best(report("a", "x", 0.1), report("b", "x", 0.3)) == ["x-a"]
    higher = {"name": "ANLS", "direction": "higher"}
    assert best(report("a", "x", 0.1, **higher), report("b", "x", 0.3, **higher)) == ["x-b"]


def test_equals_share_the_first_place_and_one_alone_wins_nothing() -> None:
    third = report("d", "x", 0.4)
    assert best(report("a", "x", 0.1), report("b", "x", 0.1), third, report("c", "y", 0.0)) == ["x-a", "x-b"]
    assert best(report("a", "x", 0.1), report("b", "x", 0.1)) == []  # nobody is better than anybody


def test_an_evaluation_without_a_value_is_never_best() -> None:
    assert best(report("a", "x", None), report("b", "x", 0.9)) == []


def test_different_metrics_are_no_contest() -> None:
    assert best(report("a", "x", 0.1), report("b", "x", 0.2, name="WER")) == []


def test_versions_of_a_metric_are_no_contest() -> None:
    upstream = (metric("CER", 0.1, version="upstream-0.1"),)
    assert best(report("a", "x", 0.1, metrics=upstream), report("b", "x", 0.2)) == []


def test_board_has_a_cell_for_each_pair_even_if_it_did_not_run() -> None:
    board = board_of(entries_of([report("a", "x", 0.1), report("b", "y", 0.2), report("a", "x", 0.3)]))
    assert [row.model for row in board.rows] == ["a", "b"]
    assert [[len(cell) for cell in row.cells] for row in board.rows] == [[2, 0], [0, 1]]


def test_many_benchmarks_of_few_models_are_listed_downwards() -> None:
    few = [report("a", f"b{n}", 0.1) for n in range(7)]
    assert not board_of(entries_of(few)).tall
    assert board_of(entries_of([*few, report("a", "b7", 0.1)])).tall


def test_a_panel_for_each_benchmark_best_first_unknown_last() -> None:
    made = [report("a", "x", 0.3), report("b", "x", None), report("c", "x", 0.1), report("a", "y", 0.2)]
    first, second = panels_of(entries_of(made))
    assert (first.title, [item.label for item in first.bars]) == ("x", ["c", "a", "b"])
    assert first.bars[-1].chart is None
    assert second.title == "y"


def test_one_model_on_many_benchmarks_is_one_panel_for_each_metric() -> None:
    made = [report("a", f"b{n}", 0.1 * n) for n in range(5)] + [report("a", "z", 0.5, name="WER")]
    panels = panels_of(entries_of(made))
    assert [(panel.metric.name, len(panel.bars)) for panel in panels] == [("CER", 5), ("WER", 1)]
    assert [item.label for item in panels[0].bars] == ["b0", "b1", "b2", "b3", "b4"]


def test_two_evaluations_of_one_pair_are_told_apart_by_id() -> None:
    made = [report("a", "x", 0.1, id="x-a"), report("a", "x", 0.2, id="x-a-2"), report("b", "x", 0.3)]
    assert [item.label for item in panels_of(entries_of(made))[0].bars] == ["a (x-a)", "a (x-a-2)", "b"]


def test_shares_have_the_whole_scale_and_error_rates_room_for_more_than_one() -> None:
    higher = panels_of(
        entries_of([report("a", "x", 0.2, name="ANLS", direction="higher"), report("b", "x", 0.1)])
    )
    assert higher[0].scale == Scale(low=0.0, high=1.0)
    errors = panels_of(entries_of([report("a", "x", 1.7), report("b", "x", 0.2)]))
    assert errors[0].scale == Scale(low=0.0, high=2.0)


@pytest.mark.parametrize(
    ("values", "high"), [([0.084], 0.1), ([0.1], 0.1), ([1.3], 1.5), ([7.2], 8.0), ([0.0], 1.0), ([], 1.0)]
)
def test_nice_scale(values: list[float], high: float) -> None:
    assert nice_scale(values).high == pytest.approx(high)


def test_bar_stays_inside_its_scale() -> None:
    svg = str(bar(0.5, low=-1.0, high=9.0, scale=Scale(low=0.0, high=1.0)))
    assert 'width="50.00%"' in svg
    assert 'x1="0.00%" x2="100.00%"' in svg
    assert "aria-hidden" in svg


def slices(*values: float | None, name: str = "CER", n: int = 4) -> tuple[SliceMetrics, ...]:
    return tuple(
        SliceMetrics(key="doc_class", value=f"c{index}", metrics=(metric(name, value, n=n + index),))
        for index, value in enumerate(values)
    )


def test_heat_map_is_deepest_where_the_value_is_best() -> None:
    made = [report("a", "x", 0.1, slices=slices(0.0, 0.4)), report("b", "x", 0.2, slices=slices(0.2, None))]
    (heat,) = heat_maps(entries_of(made))
    assert [[cell.tint for cell in row.cells] for row in heat.rows] == [[1.0, 0.5], [0.0, 0.0]]
    assert not heat.tall


def test_heat_map_without_a_common_metric_or_slices_is_left_out() -> None:
    mixed = [
        report("a", "x", 0.1, slices=slices(0.1)),
        report("b", "x", 0.1, name="WER", slices=slices(0.1, name="WER")),
    ]
    assert heat_maps(entries_of(mixed)) == ()
    assert heat_maps(entries_of([report("a", "x", 0.1)])) == ()


def test_heat_map_keeps_the_largest_slices() -> None:
    many = report("a", "x", 0.1, slices=slices(*[0.1] * (MAX_SLICES + 5)))
    (heat,) = heat_maps(entries_of([many]))
    assert (len(heat.rows), heat.left_out) == (MAX_SLICES, 5)
    assert min(row.n for row in heat.rows) == 4 + 5
