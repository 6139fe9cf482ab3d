"""A run without its terminal: detached, watched from other shells, followed in its logs, stopped and attached again."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from e2e_world import World

COMMAND = [sys.executable, "-m", "vlmhb"]


def vlmhb(world: World, *args: str) -> subprocess.CompletedProcess[str]:
    argv = [*COMMAND, *args, "--workspace", str(world.workspace)]
    return subprocess.run(argv, capture_output=True, text=True, cwd=world.root, timeout=120, check=False)


def begun(world: World, *, delay_s: float, pages: int = 12) -> str:
    """The id of a run that was started with --detach."""
    world.make(pages=pages, delay_s=delay_s)
    done = world.call("--detach")
    assert done.returncode == 0, done.stderr
    return next(path.parent.name for path in (world.workspace / "runs").glob("*/run.json"))


def test_a_detached_run_goes_on_and_attach_ends_with_it(process_world: World) -> None:
    name = begun(process_world, delay_s=0.3)
    state = json.loads((process_world.workspace / "runs" / name / "run.json").read_text())
    assert state["status"] == "running"
    assert os.getsid(state["pid"]) == state["pid"]  # no terminal that could hang it up
    again = process_world.call("--detach")
    assert (again.returncode, "VHB403" in again.stderr) == (3, True)

    logs = subprocess.Popen(
        [*COMMAND, "logs", name, "-f", "--workspace", str(process_world.workspace)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    attached = vlmhb(process_world, "attach", name)
    assert attached.returncode == 0, attached.stderr
    lines = attached.stderr.splitlines()
    assert f"{name}: done" in lines
    assert any(line.startswith("pages-page-model infer: done") for line in lines)
    printed, _ = logs.communicate(timeout=60)
    assert logs.returncode == 0
    assert "--- pages-page-model model server" in printed  # it appeared after `logs` had begun
    assert "--- pages-page-model prepare" in printed
    assert vlmhb(process_world, "attach", name).returncode == 0  # a run that has ended is told at once


def test_a_stopped_run_gives_its_exit_code_to_whoever_watches(process_world: World) -> None:
    name = begun(process_world, delay_s=0.5, pages=40)
    watching = subprocess.Popen(
        [*COMMAND, "attach", name, "--workspace", str(process_world.workspace)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert vlmhb(process_world, "stop", name).returncode == 0
    _, told = watching.communicate(timeout=90)
    assert watching.returncode == 130, told
    assert f"{name}: interrupted" in told
    assert "pages-page-model" in vlmhb(process_world, "status", name).stdout


def test_a_mistake_is_told_and_nothing_is_left_running(process_world: World) -> None:
    process_world.make(pages=1)
    process_world.config({"dataset": "pages", "model_name": "nobody"})
    done = process_world.call("--detach")
    assert done.returncode == 2
    assert "VHB201" in done.stderr or "nobody" in done.stderr
    assert not list((process_world.workspace / "runs").glob("*/run.json"))


@pytest.mark.parametrize("command", [["attach"], ["status", "--watch"]])
def test_on_a_terminal_the_bars_are_drawn_for_a_watcher_as_well(
    process_world: World, command: list[str], tmp_path: Path
) -> None:
    name = begun(process_world, delay_s=0.4)
    screen = tmp_path / "screen"
    main, side = pty.openpty()
    argv = [*COMMAND, *command, "--workspace", str(process_world.workspace)]
    with screen.open("wb") as seen:
        watcher = subprocess.Popen(
            argv, stdin=side, stdout=side, stderr=side, env={**os.environ, "TERM": "xterm"}
        )
        os.close(side)
        try:
            while block := os.read(main, 65536):
                seen.write(block)
        except OSError:  # EIO: the other end was closed
            pass
        assert watcher.wait(timeout=60) == 0
    text = screen.read_text(errors="replace")
    assert "/12" in text and "━" in text
    assert name in text
