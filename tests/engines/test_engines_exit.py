"""How an end is told from an engine's record: the cases that real engines give only on some hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from vlmhb.engines.container_exit import classify, tail

ENDED = {"Status": "exited", "ExitCode": 0, "OOMKilled": False, "Error": ""}


def ended(state: dict[str, Any] | None, **changes: Any) -> tuple[int, str, str]:
    values: dict[str, Any] = {
        "client_code": 0,
        "stopped": False,
        "oom_mark": False,
        "memory_mib": 64,
        "said": "",
    }
    found = classify(state=state, **{**values, **changes})
    return found.code, found.reason, found.detail


def test_engine_refused_to_create_the_container() -> None:
    said = "earlier output\ndocker: Error response from daemon: no space left.\n\nRun 'docker run --help'"
    assert ended({}, client_code=125, said=said) == (
        125,
        "engine_error",
        "docker: Error response from daemon: no space left.",
    )


def test_container_was_made_and_never_started() -> None:
    state = {**ENDED, "Status": "created", "Error": "could not select\n device driver"}
    assert ended(state, client_code=125) == (125, "engine_error", "could not select device driver")


def test_container_vanished() -> None:
    assert ended(None)[1] == "engine_error"
    assert ended(None, stopped=True)[1] == "stopped"


@pytest.mark.parametrize(
    ("code", "mark", "flag", "reason"),
    [
        (137, False, True, "oom"),
        (137, True, False, "oom"),
        (0, False, True, "child_oom"),
        (1, True, False, "child_oom"),
    ],
)
def test_out_of_memory(code: int, mark: bool, flag: bool, reason: str) -> None:
    assert ended({**ENDED, "ExitCode": code, "OOMKilled": flag}, oom_mark=mark)[:2] == (code, reason)


def test_memory_of_the_machine_is_blamed_without_a_limit() -> None:
    assert "machine" in ended({**ENDED, "ExitCode": 137, "OOMKilled": True}, memory_mib=None)[2]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (127, "[FATAL tini (8)] exec nope failed: No such file or directory"),
        (1, "ERROR (catatonit:6): failed to exec pid1: No such file or directory"),
    ],
)
def test_program_that_is_not_there(code: int, said: str) -> None:
    found = ended({**ENDED, "ExitCode": code}, said=f"x\n{said}\n")
    assert found[:2] == (code, "engine_error")
    assert "No such file or directory" in found[2]


def test_only_what_this_container_said_counts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("docker: old trouble\n")
    start = log.stat().st_size
    with log.open("a") as file:
        file.write("x" * 10_000 + "\nnew")
    assert tail(log, start=start).endswith("x\nnew")
    assert "old trouble" not in tail(log, start=start)
