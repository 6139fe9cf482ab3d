"""The report's spec and mounts: every evaluation is told, and its files end up in the run's folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripted import ScriptedEngine, ScriptedHandle, make_session, writes
from test_execution_runner import chain, engine_for
from vlmhb.engines.base import TaskExit
from vlmhb.errors import GpuMissing, StageFailed
from vlmhb.execution.session import Session
from vlmhb.outcomes import Outcome
from vlmhb.reporting import FILES, make_report
from vlmhb.runner import Runner
from vlmhb.runs import RunRecord

ONE, TWO = chain("a"), chain("b")
REPORT = {name: f"{name} text" for name in FILES}


@pytest.fixture(autouse=True)
def private_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def report(session: Session, outcomes: list[Outcome]) -> RunRecord:
    record = RunRecord(session.workspace, session.run_id)
    evaluations = [ONE.evaluation, TWO.evaluation][: len(outcomes)]
    make_report(session, record, evaluations, facts={ONE.evaluation.id: ONE.facts}, outcomes=outcomes)
    return record


def finished(tmp_path: Path) -> tuple[ScriptedEngine, Session, list[Outcome]]:
    engine = engine_for(1)
    engine.scripts["server"] = [lambda _: ScriptedHandle([], peak=512.0)]
    engine.scripts["report"] = [writes(REPORT)]
    session = make_session(tmp_path, engine)
    runner = Runner(session, [ONE])
    runner.run()
    return engine, session, list(runner.outcomes.values())


def test_a_row_that_could_not_start_is_in_the_report(tmp_path: Path) -> None:
    engine, session, outcomes = finished(tmp_path)
    failed = Outcome(id="b-m")
    failed.fail(GpuMissing("the model needs 1 GPU(s), 0 found"), stage="start")
    record = report(session, [*outcomes, failed])
    assert {path.name: path.read_text() for path in record.report_dir.iterdir()} == REPORT
    spec = json.loads((session.workspace.artifacts("report")[0].folder / "spec.json").read_text())
    first, second = spec["evaluations"]
    assert (first["id"], first["info"]["status"]) == ("a-m", "done")
    assert first["info"]["provenance"]["dataset_sha256"] == "a"
    assert (second["id"], second["infer"], second["info"]["failure"]["code"]) == ("b-m", None, "VHB306")
    (task,) = (task for task in engine.started if task.labels["org.vlmhb.role"] == "report")
    targets = {mount.target for mount in task.mounts if "/e/" in mount.target}
    assert targets == {"/vlmhb/in/e/0/inputs", "/vlmhb/in/e/0/infer", "/vlmhb/in/e/0/evaluate"}
    assert not any(mount.source.name == "labels" for mount in task.mounts)


def test_memory_and_gpus_of_the_server_are_told(tmp_path: Path) -> None:
    _, session, outcomes = finished(tmp_path)
    report(session, outcomes)
    spec = json.loads((session.workspace.artifacts("report")[0].folder / "spec.json").read_text())
    info = spec["evaluations"][0]["info"]
    assert info["peak_rss_mib"] == 512.0
    assert info["provenance"]["gpus"] == []


def test_equal_results_give_the_report_that_is_there(tmp_path: Path) -> None:
    engine, session, outcomes = finished(tmp_path)
    report(session, outcomes)
    report(session, outcomes)
    assert engine.roles().count("report") == 1


def test_a_report_that_fails_leaves_the_earlier_one(tmp_path: Path) -> None:
    engine, session, outcomes = finished(tmp_path)
    record = report(session, outcomes)
    engine.scripts["report"] = [writes({}, end=TaskExit(code=70, reason="exit"))]
    outcomes[0].status = "partial"
    with pytest.raises(StageFailed):
        report(session, outcomes)
    assert (record.report_dir / "report.md").read_text() == "report.md text"
