"""parts/: what every sample adds to an aggregate, for paired tests; and the processes of heavy metrics."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from evaluate_case import Item, answered, evaluate, evaluate_upstream, failed
from vlmhb_benchmarks.metrics import get_metric
from vlmhb_stages.evaluate import work
from vlmhb_stages.parts import ids_digest, read_index, read_parts


def test_parts_add_up_to_the_value(tmp_path: Path) -> None:
    result = evaluate_upstream(tmp_path, "demo", drop=("3",))
    index = read_index(result.out)
    assert index is not None and index.planned == 22
    for metric in result.metrics.metrics:
        entry = index.metrics[metric.name]
        parts = read_parts(result.out, entry)
        assert (parts.dtype, parts.shape) == (np.float64, (22, entry.width))
        totals = [float(total) for total in parts.sum(axis=0)]
        assert get_metric(metric.name).from_totals(totals) == metric.value
        assert (entry.version, entry.direction, entry.average) == (
            metric.version,
            metric.direction,
            metric.average,
        )
    assert index.ids_sha256 == ids_digest(score.sample_id for score in result.scores)


def test_undefined_samples_are_nan_rows(tmp_path: Path) -> None:
    items = [
        Item(sample_id="a", references=(), prediction=answered("a", "x")),
        Item(sample_id="b", references=("xy",), prediction=answered("b", "x")),
        Item(sample_id="c", references=("x",), prediction=failed("c")),
    ]
    result = evaluate(tmp_path, items, metrics=("cer", "exact_match"))
    index = read_index(result.out)
    assert index is not None
    cer = read_parts(result.out, index.metrics["cer"])
    assert np.isnan(cer[0]).all()
    assert cer[1:].tolist() == [[1.0, 2.0], [1.0, 1.0]]
    assert (index.metrics["exact_match"].binary, index.metrics["cer"].binary) == (True, False)


def test_an_old_evaluation_has_no_parts(tmp_path: Path) -> None:
    assert read_index(tmp_path) is None


def heavy_items(count: int, *, last: str = "x") -> list[Item]:
    return [
        Item(
            sample_id=str(n),
            references=("x",),
            prediction=answered(str(n), last if n == count - 1 else "x" if n % 3 else "y"),
        )
        for n in range(count)
    ]


def run_heavy(root: Path, monkeypatch: pytest.MonkeyPatch, *, processes: int, last: str = "x"):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(work, "cores", lambda: processes)
    return evaluate(root, heavy_items(40, last=last), metrics=("evaluate_metrics:HEAVY",))


def test_heavy_metrics_run_in_processes_with_equal_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = run_heavy(tmp_path / "a", monkeypatch, processes=1)
    parallel = run_heavy(tmp_path / "b", monkeypatch, processes=2)
    assert {score.matched_reference for score in serial.scores} == {str(os.getpid())}
    assert str(os.getpid()) not in {score.matched_reference for score in parallel.scores}
    assert serial.sample("heavy") == parallel.sample("heavy")
    assert (serial.out / "metrics.json").read_bytes() == (parallel.out / "metrics.json").read_bytes()


def test_a_killed_process_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_heavy(tmp_path, monkeypatch, processes=2, last="kill")
    assert result.code == 2
    assert "a process that computes heavy was killed" in result.fatal["message"]
    assert "memory" in result.fatal["hint"]


def test_a_few_samples_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "cores", lambda: 2)
    result = evaluate(tmp_path, heavy_items(3), metrics=("evaluate_metrics:HEAVY",))
    assert {score.matched_reference for score in result.scores} == {str(os.getpid())}
