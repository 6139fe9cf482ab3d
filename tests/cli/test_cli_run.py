"""`vlmhb run` in this process: what is printed for each way to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from vlmhb import application
from vlmhb.application import Result
from vlmhb.cards import load_registry
from vlmhb.cli.app import app
from vlmhb.config import read_run_config
from vlmhb.config.resolve import Roots, resolve
from vlmhb.contracts import ResolvedEvaluation, RunConfig
from vlmhb.errors import BadValue, ErrorList, ExitCode, Interrupted, StageFailed, VlmhbError
from vlmhb.outcomes import Outcome
from vlmhb.plan.model import PlannedEvaluation, PlannedStage


class Nothing:
    """Enough of a `Prepared`."""

    errors = ()
    failures: dict[str, VlmhbError] = {}
    chains = ()
    sealed = None
    run_id = "my-1"
    prices = None
    config = RunConfig(path=Path("my.csv"), rows=())
    engine = type("E", (), {"name": "docker", "isolation": "container"})


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "prepare", lambda *_, **__: Nothing())


def run(*args: str) -> Any:
    return CliRunner().invoke(app, ["run", "my.csv", *args])


def raises(error: BaseException) -> Any:
    def call(*_: Any, **__: Any) -> None:
        raise error

    return call


def result(code: ExitCode, *errors: VlmhbError) -> Result:
    failed = Outcome(id="b-m", counts={"planned": 4, "ok": 3})
    failed.fail(StageFailed("it broke"), stage="infer")
    return Result(
        run_id="my-1",
        run_dir=Path("runs/my-1"),
        report=None,
        exit_code=code,
        outcomes=[failed],
        errors=[*errors],
    )


@pytest.mark.usefixtures("prepared")
def test_the_last_line_tells_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ErrorList([BadValue("one", hint="h"), BadValue("two")])
    monkeypatch.setattr(application, "execute", lambda *_, **__: result(ExitCode.FAILURES, error))
    done = run("--json")
    assert done.exit_code == 4
    shown = json.loads(done.stdout)
    assert shown["status"] == "finished with failures"
    assert shown["evaluations"][0]["failure"]["message"] == "VHB501: it broke"
    assert shown["errors"] == [
        {"code": "VHB104", "message": "VHB104: one; hint: h"},
        {"code": "VHB104", "message": "VHB104: two"},
    ]
    assert "failed      b-m: 3/4 answered" in done.stderr


CARD = "name: {name}\nframework: API\ninterface: openai\nbase_url: https://{name}.example/v1\ntasks: [ocr]\n"


class Planned(Nothing):
    """A plan of one stage."""

    def __init__(self, evaluation: ResolvedEvaluation) -> None:
        self.evaluations = (evaluation,)

    def plan(self) -> list[PlannedEvaluation]:
        (evaluation,) = self.evaluations
        stage = PlannedStage(stage="infer", subject="s", decision="run", reason="never done before")
        return [PlannedEvaluation(id=evaluation.id, stages=(stage,))]


def test_a_plan_names_the_fallbacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    cards = "---\n".join(CARD.format(name=name) for name in ("first", "second", "third"))
    (tmp_path / "models/all.yaml").write_text(cards)
    (tmp_path / "u.csv").write_text("dataset;model_name;fallbacks\ndocs_mini;first;['third', 'second']\n")
    config = read_run_config(tmp_path / "u.csv").config
    assert config is not None
    found = resolve(
        config,
        registry=load_registry(user_dirs=[tmp_path]),
        roots=Roots(config_dir=tmp_path, cwd=tmp_path),
        workspace=tmp_path / "w",
    )
    assert found.errors == ()
    monkeypatch.setattr(application, "prepare", lambda *_, **__: Planned(found.evaluations[0]))
    runner = CliRunner()
    places = ["third at third.example", "second at second.example"]
    assert (
        f"fallbacks of docs_mini-first, in this order: {', '.join(places)}"
        in runner.invoke(app, ["plan", "u.csv"]).stdout
    )
    shown = json.loads(runner.invoke(app, ["plan", "u.csv", "--json"]).stdout)
    assert shown["evaluations"][0]["fallbacks"] == places


@pytest.mark.usefixtures("prepared")
def test_the_end_tells_who_answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ended = result(ExitCode.FAILURES)
    ended.report = tmp_path / "report.html"
    how = {"reliability": {"fallbacks": {"backup": 2}, "retried": 3}, "cost": {"total": None}}
    (tmp_path / "report.json").write_text(json.dumps({"evaluations": [{"id": "b-m", **how}]}))
    monkeypatch.setattr(application, "execute", lambda *_, **__: ended)
    line = "failed      b-m: 3/4 answered, 2 of them by fallbacks (backup 2), 3 samples retried\n"
    assert line in run().stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), "VHB530"),
        (Interrupted("x"), "VHB530"),
        (OSError(28, "No space left on device"), "VHB405"),
    ],
)
def test_what_stops_everything_is_json_too(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: str
) -> None:
    monkeypatch.setattr(application, "prepare", raises(error))
    done = run("--json")
    shown = json.loads(done.stdout)
    assert isinstance(done.exception, VlmhbError)  # `main` prints it and exits
    assert shown["exit_code"] == done.exception.exit_code
    assert shown["errors"][0]["code"] == code


def test_a_bug_stays_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "prepare", raises(OSError(5, "Input/output error")))
    assert isinstance(run("--json").exception, OSError)


@pytest.mark.parametrize(("code", "status"), list(application.STATUS.items()))
def test_every_exit_code_has_a_status(code: ExitCode, status: str) -> None:
    assert result(code).status == status
    assert set(application.STATUS) == set(ExitCode)
