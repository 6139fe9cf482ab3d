"""parts/: what every sample adds to an aggregate, for paired tests; and the processes of heavy metrics."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from evaluate_case import Item, Result, answered, evaluate, evaluate_upstream, failed
from vlmhb_benchmarks.metrics import get_metric
from vlmhb_stages.evaluate import pool, work
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


def run_heavy(root: Path, monkeypatch: pytest.MonkeyPatch, *, processes: int, last: str = "x") -> Result:
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


def test_fields_of_heavy_metrics_are_scored_in_the_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for processes in (1, 2):
        monkeypatch.setattr(work, "cores", lambda count=processes: count)
        root = tmp_path / str(processes)
        results.append(evaluate(root, heavy_items(40), metrics=("evaluate_metrics:HEAVY_FIELDS",)))
    serial, parallel = (one.slice("field", "letter")["heavy_fields"] for one in results)
    assert serial == parallel
    assert (serial.n, serial.value) == (40, results[0].value("heavy_fields"))


def test_processes_die_with_a_killed_stage() -> None:
    """They hold its standard output open, so `run` returns only when they are gone."""
    script = """
import os, signal
from vlmhb_benchmarks.metrics import get_metric
from vlmhb_benchmarks.metrics.base import Context
from vlmhb_stages.evaluate.pool import HeavyPool, Job

pool = HeavyPool({"cer": get_metric("cer")}, processes=2)
jobs = [Job(text="a", references=("a",), context=Context())] * 4
assert len(pool.scores("cer", jobs, beat=lambda: None)) == 4
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (-9, b"")


@pytest.mark.parametrize(
    ("text", "count"), [("max 100000", 8), ("150000 100000", 2), ("50000 100000", 1), ("", 8)]
)
def test_cores_are_those_of_the_container(
    text: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(pool, "_CPU_MAX", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert pool.cores() == count
