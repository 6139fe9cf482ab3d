"""The process boundary of a stage: every end is an exit code, and every fault one line for the host."""

from __future__ import annotations

import errno
import json
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from vlmhb_stages.__main__ import STAGES, main
from vlmhb_stages.run_stage import EXIT_BAD_USE, EXIT_CRASHED, EXIT_DISK_FULL, MODULES, run_stage
from vlmhb_stages.specs import PrepareSpec


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VLMHB_ROOT", str(tmp_path))
    (tmp_path / "out").mkdir()
    (tmp_path / "spec.json").write_text(PrepareSpec(loader="jsonl").model_dump_json())
    return tmp_path


def stage(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    monkeypatch.setitem(sys.modules, "vlmhb_stages.prepare", SimpleNamespace(run=run))


def events(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / "out" / "events.jsonl").read_text().splitlines()]


def fails(error: BaseException) -> Any:
    def run(*_: Any, **__: Any) -> int:
        raise error

    return run


def test_a_stage_that_works(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage(monkeypatch, lambda spec, events: 0 if spec.loader == "jsonl" else 1)
    assert run_stage("prepare") == 0
    assert [event["type"] for event in events(root)] == ["start"]


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ValueError("bad page"), EXIT_CRASHED, ("VHB501", "ValueError: bad page")),
        (OSError(errno.ENOSPC, "No space left on device"), EXIT_DISK_FULL, ("VHB405", "No space")),
        (OSError(errno.EDQUOT, "Quota exceeded"), EXIT_DISK_FULL, ("VHB405", "Quota")),
        (FileNotFoundError(2, "No such file", "/vlmhb/in/x"), EXIT_CRASHED, ("VHB501", "/vlmhb/in/x")),
        (MemoryError("too much"), EXIT_CRASHED, ("VHB501", "MemoryError")),
    ],
)
def test_a_fault_is_told_and_the_log_has_its_traceback(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    told: tuple[str, str],
) -> None:
    stage(monkeypatch, fails(error))
    assert run_stage("prepare") == code
    fatal = events(root)[-1]
    assert (fatal["type"], fatal["code"]) == ("fatal", told[0])
    assert told[1] in fatal["message"]
    assert "Traceback" in capsys.readouterr().err


def test_a_spec_of_another_contract_is_told(root: Path) -> None:
    (root / "spec.json").write_text('{"stage": "prepare", "loader": "jsonl", "unheard_of": 1}')
    assert run_stage("prepare") == EXIT_CRASHED
    assert "unheard_of" in events(root)[-1]["message"]


def test_a_spec_for_another_stage_is_told(root: Path) -> None:
    assert run_stage("infer") == EXIT_BAD_USE
    assert events(root)[-1]["message"] == "the spec is for prepare, not for infer"


def test_an_output_folder_that_cannot_be_written_is_an_exit_code(root: Path) -> None:
    (root / "out").rmdir()
    (root / "out").write_text("a file")
    assert run_stage("prepare") == EXIT_CRASHED


def test_a_disk_that_refuses_the_last_words_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")

    def run(_spec: Any, events: Any) -> int:
        monkeypatch.setattr(type(events), "emit", fails(full))
        raise full

    stage(monkeypatch, run)
    assert run_stage("prepare") == EXIT_DISK_FULL


@pytest.mark.parametrize("argv", [[], ["no-such-stage"], ["prepare", "infer"]])
def test_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert capsys.readouterr().err.startswith(f"usage: kit.pyz {'|'.join(STAGES)}")


def test_every_stage_has_its_module() -> None:
    """Also the one whose name is a word of Python."""
    for name in STAGES:
        assert callable(import_module(f"vlmhb_stages.{MODULES.get(name, name)}").run)
