"""`status`, `logs`, `stop`, `report` and `resume` on running, killed and finished runs."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from vlmhb.cli.app import app
from vlmhb.contracts import EvaluationRow, Place, RunConfig
from vlmhb.errors import ArtifactBusy, StageFailed, UnknownRun
from vlmhb.outcomes import Outcome
from vlmhb.progress import Counted
from vlmhb.progress.plain import PlainProgress
from vlmhb.progress.recorded import RecordedProgress
from vlmhb.runs import RunRecord
from vlmhb.store.workspace import Workspace


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    """A run that this very process runs."""
    config = tmp_path / "my.csv"
    config.write_text("dataset;model_name\n")
    row = EvaluationRow(place=Place(file="my.csv", row=2), dataset="b", model_name="m")
    found = RunRecord(Workspace.open(tmp_path / "workspace"), "my-1")
    command = ["/old/vlmhb", "run", "my.csv", "--limit", "2"]
    found.begin(RunConfig(path=config, rows=(row,)), plan=[], engine="process", command=command)
    progress = RecordedProgress(PlainProgress(say=lambda _: None), path=found.events)
    progress.stage_started("b-m", "infer", "never done before")
    progress.update("b-m", Counted(done=7, total=24, ok=6, error=1))
    return found


def change(record: RunRecord, **fields: object) -> None:
    (record.folder / "run.json").write_text(json.dumps({**record.state(), **fields}))


def vlmhb(record: RunRecord, command: str, *args: str) -> Any:
    workspace = str(record.folder.parents[1])
    return CliRunner().invoke(app, [command, *args, "--workspace", workspace])


def test_status_of_a_running_run_shows_where_it_is(record: RunRecord) -> None:
    done = vlmhb(record, "status")
    assert done.exit_code == 0
    assert "my-1: running" in done.stdout
    assert "running     infer     b-m  7/24, 1 failed" in done.stdout
    shown = json.loads(vlmhb(record, "status", "--json").stdout)
    assert shown["progress"]["b-m"] == {
        "stage": "infer", "state": "running", "done": 7, "total": 24, "ok": 6, "error": 1, "skipped": 0,
        "retries": 0,
    }  # fmt: skip


def test_status_of_a_killed_run_says_how_to_go_on(record: RunRecord) -> None:
    change(record, pid=4194999)
    done = vlmhb(record, "status")
    assert "my-1: killed" in done.stdout
    assert "vlmhb resume" in done.stderr
    assert json.loads(vlmhb(record, "status", "--json").stdout)["status"] == "killed"


def test_status_of_a_finished_run(record: RunRecord) -> None:
    failed = Outcome(id="b-m", counts={"planned": 24, "ok": 20})
    failed.fail(StageFailed("it broke"), stage="evaluate")
    record.end([failed], status="finished with failures", exit_code=4)
    done = vlmhb(record, "status", "my-1")
    assert done.stdout.splitlines()[1:] == [
        "  failed      b-m: 20/24 answered",
        "    VHB501: it broke",
    ]


def test_status_tells_who_answered_with_how_many_retries_and_for_how_much(record: RunRecord) -> None:
    record.end(
        [Outcome(id="b-m", counts={"planned": 24, "ok": 20})], status="finished with failures", exit_code=4
    )
    how = {"reliability": {"fallbacks": {"mirror": 2, "backup": 1}, "retried": 1}}
    report = {"evaluations": [{"id": "b-m", **how, "cost": {"total": 0.012, "currency": "USD"}}]}
    record.report_dir.mkdir()
    (record.report_dir / "report.json").write_text(json.dumps(report))
    assert vlmhb(record, "status").stdout.splitlines()[1:] == [
        "  done        b-m: 20/24 answered, 3 of them by fallbacks (mirror 2, backup 1), "
        "1 sample retried, cost 0.0120 USD"
    ]
    shown = json.loads(vlmhb(record, "status", "--json").stdout)
    assert shown["answers"]["b-m"]["fallbacks"] == {"mirror": 2, "backup": 1}


def test_logs_of_a_stage_that_failed(record: RunRecord) -> None:
    workspace = Workspace.open(record.folder.parents[1])
    for stage in ("prepare", "infer", "score"):
        artifact = workspace.artifact(stage, "f")
        artifact.begin(spec={}, attempt={})
        artifact.log.write_text(f"{stage} said this\n")
        called = "score-box" if stage == "score" else None
        record.link("b-m", stage=stage, fingerprint="f", called=called)
    assert vlmhb(record, "logs").stdout.count("said this") == 3
    assert vlmhb(record, "logs", "--stage", "score").stdout.splitlines()[1:] == ["score said this"]
    assert vlmhb(record, "logs", "--stage", "infer").stdout.splitlines()[1:] == ["infer said this"]
    assert vlmhb(record, "logs", "-e", "b-m").stdout.count("said this") == 3
    wrong = vlmhb(record, "logs", "-e", "b-n").exception
    assert isinstance(wrong, UnknownRun) and "there are b-m" in str(wrong)
    assert vlmhb(record, "logs", "--stage", "nothing").exit_code == 2


def test_stop_asks_the_process_and_no_other(record: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    assert "asked to stop" in vlmhb(record, "stop").stderr
    assert sent == [(os.getpid(), signal.SIGTERM)]
    change(record, pid_start="1")  # its number belongs to somebody else now
    assert "is not running (killed)" in vlmhb(record, "stop").stderr
    change(record, host="elsewhere")
    assert isinstance(vlmhb(record, "stop").exception, UnknownRun)
    record.end([], status="done", exit_code=0)
    assert "is not running (done)" in vlmhb(record, "stop").stderr
    assert len(sent) == 1


def test_resume_is_the_same_command_in_the_same_folder(
    record: RunRecord, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[tuple[list[str], str]] = []
    monkeypatch.setattr(
        os, "execve", lambda _program, argv, env: started.append((argv, env["VLMHB_WORKSPACE"]))
    )
    monkeypatch.chdir(tmp_path)
    assert isinstance(vlmhb(record, "resume").exception, ArtifactBusy)
    assert started == []
    change(record, pid=4194999, cwd=str(record.folder))
    vlmhb(record, "resume")
    command = [sys.executable, "-m", "vlmhb", "run", "my.csv", "--limit", "2"]
    assert started == [(command, str(record.folder.parents[1]))]
    assert Path.cwd() == record.folder


def test_resume_tells_when_its_folder_is_gone(record: RunRecord) -> None:
    change(record, pid=4194999, cwd="/no/such/folder")
    error = vlmhb(record, "resume").exception
    assert isinstance(error, UnknownRun) and "/old/vlmhb run my.csv --limit 2" in str(error)


def test_report(record: RunRecord) -> None:
    assert isinstance(vlmhb(record, "report").exception, UnknownRun)
    record.report_dir.mkdir()
    (record.report_dir / "report.md").write_text("# my-1\n")
    done = vlmhb(record, "report")
    assert done.stdout == "# my-1\n"
    assert done.stderr.strip() == str(record.report_dir / "report.html")
