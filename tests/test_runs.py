"""The record of a run: what `status`, `logs`, `stop` and `resume` go by."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from vlmhb.contracts import EvaluationRow, Place, RunConfig
from vlmhb.errors import UnknownRun
from vlmhb.outcomes import Outcome
from vlmhb.runs import RunRecord, run_id_of
from vlmhb.store.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "workspace")


def config(tmp_path: Path, *, row: int = 2, limit: int | None = None, name: str = "my.csv") -> RunConfig:
    path = tmp_path / name
    path.write_text("dataset;model_name\r\nb;m\r\n")
    place = Place(file=str(path), row=row)
    return RunConfig(path=path, rows=(EvaluationRow(place=place, dataset="b", model_name="m", limit=limit),))


def begin(workspace: Workspace, tmp_path: Path, run_id: str = "my-1") -> RunRecord:
    record = RunRecord(workspace, run_id)
    record.begin(config(tmp_path), plan=[], engine="docker", command=["vlmhb", "run", "my.csv"])
    return record


def change(record: RunRecord, **fields: object) -> None:
    (record.folder / "run.json").write_text(json.dumps({**record.state(), **fields}))


def test_the_id_follows_the_rows_and_nothing_else(tmp_path: Path) -> None:
    def identity(engine: str = "docker", **changes: int) -> str:
        return run_id_of(config(tmp_path, **changes), engine=engine, overrides={})  # type: ignore[arg-type] - ints

    first = identity()
    assert first.startswith("my-") and len(first) == len("my-") + 8
    assert identity(row=7) == first
    assert identity(limit=3) != first
    assert identity(engine="process") != first


def test_begin_keeps_the_config_verbatim_and_forgets_an_earlier_end(
    workspace: Workspace, tmp_path: Path
) -> None:
    record = begin(workspace, tmp_path)
    record.end([Outcome(id="e")], status="done", exit_code=0)
    assert record.state()["evaluations"] != []
    record = begin(workspace, tmp_path)
    assert (record.folder / "config.csv").read_bytes() == (tmp_path / "my.csv").read_bytes()
    state = record.state()
    assert (state["status"], state["evaluations"], state["ended"]) == ("running", [], None)
    assert "exit_code" not in state


def test_links_are_relative_and_those_of_an_earlier_try_go(workspace: Workspace, tmp_path: Path) -> None:
    record = begin(workspace, tmp_path)
    record.link("e", stage="prepare", fingerprint="a")
    record.link("e", stage="infer", fingerprint="b")
    record.link("e", stage="infer", fingerprint="c")
    folder = record.folder / "evaluations" / "e"
    assert {path.name: str(path.readlink()) for path in folder.iterdir()} == {
        "prepare": "../../../../artifacts/prepare/a",
        "infer": "../../../../artifacts/infer/c",
    }
    begin(workspace, tmp_path)
    assert list(folder.iterdir()) == []


def test_running_is_told_by_the_process(workspace: Workspace, tmp_path: Path) -> None:
    record = begin(workspace, tmp_path)
    assert record.is_running
    change(record, pid_start="1")  # the number is in use again
    assert not record.is_running
    change(record, pid=4194999)
    assert not record.is_running
    change(record, host="elsewhere")
    assert record.is_running
    record.end([], status="done", exit_code=0)
    assert not record.is_running


def test_the_newest_run_is_found_and_a_wrong_name_is_told(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnknownRun, match="there is no run yet"):
        RunRecord.find(workspace, None)
    for age, name in ((20, "my-1"), (10, "my-2")):
        path = begin(workspace, tmp_path, name).folder / "run.json"
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    assert RunRecord.find(workspace, None).id == "my-2"
    assert RunRecord.find(workspace, "my-1").id == "my-1"
    with pytest.raises(UnknownRun, match="there are my-1, my-2"):
        RunRecord.find(workspace, "my-3")
