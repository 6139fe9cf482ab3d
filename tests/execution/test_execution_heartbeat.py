"""The host shows that it lives: a real process that beats, killed or stopped, and a driver that notices."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted import IMAGE, ScriptedEngine, make_session, writes
from vlmhb.execution.heartbeat import heartbeat
from vlmhb.execution.stages import StageJob, make_artifact
from vlmhb.plan.planner import plan_stage
from vlmhb_stages.specs import Host, HttpBackend, InferSpec, PrepareSpec

SPEC = InferSpec(
    backend=HttpBackend(base_url="http://127.0.0.1:9"), model="m", model_identity="i", host=Host()
)
HOST = """
import sys, time
from pathlib import Path
from vlmhb.execution.heartbeat import _beating
with _beating(Path(sys.argv[1]), every_s=0.02):
    time.sleep(600)
"""
TERMINAL = """
import os, sys, time
os.setsid()
terminal = os.open(sys.argv[1], os.O_RDWR)  # a session's first terminal becomes its own
for number in (0, 1, 2):
    os.dup2(terminal, number)
from pathlib import Path
from vlmhb.execution.session import StopSignal, stop_on_signals
stop = StopSignal()
with stop_on_signals(stop):
    Path(sys.argv[2]).write_text("ready")
    while not stop.draining:
        time.sleep(0.01)
    print("the end of the run is shown", flush=True)
Path(sys.argv[2]).write_text("drained")
"""


@contextlib.contextmanager
def host(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", HOST, str(path)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def changes(path: Path, *, within_s: float = 20.0) -> bool:
    before, end = content(path), time.monotonic() + within_s
    while content(path) == before and time.monotonic() < end:
        time.sleep(0.005)
    return content(path) != before


def content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def test_it_changes_while_the_host_lives_and_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "alive"
    with host(path) as process:
        assert changes(path) and changes(path)
        assert len(content(path)) == 20
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.05)
        assert not changes(path, within_s=0.3)
        os.kill(process.pid, signal.SIGCONT)
        assert changes(path)
        process.kill()
        process.wait()
        assert not changes(path, within_s=0.3)


def test_a_driver_gets_it_and_other_stages_do_not(tmp_path: Path) -> None:
    engine = ScriptedEngine({"infer": [writes({})], "prepare": [writes({})]})
    session = make_session(tmp_path, engine)
    for stage, spec in (("infer", SPEC), ("prepare", PrepareSpec(loader="jsonl"))):
        planned = plan_stage(stage=stage, subject="x", identity={"x": stage}, view=session.view)
        job = StageJob(spec=spec, image=IMAGE, mounts=())
        make_artifact(session, planned, lambda job=job: job, evaluation_id="e")
    found = [[mount for mount in task.mounts if mount.target == "/vlmhb/host"] for task in engine.started]
    assert [len(mounts) for mounts in found] == [1, 0]
    assert not found[0][0].writable and not found[0][0].source.exists()  # gone with the stage


def test_nothing_is_made_for_a_driver_that_does_not_look(tmp_path: Path) -> None:
    session = make_session(tmp_path, ScriptedEngine())
    with heartbeat(session, SPEC.model_copy(update={"host": None})) as mounts:
        assert mounts == ()
    with heartbeat(session, SPEC, every_s=0.01) as mounts:
        assert changes(mounts[0].source / "alive")


def test_a_terminal_that_is_closed_drains_the_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    master, slave = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", TERMINAL, os.ttyname(slave), str(mark)])
    os.close(slave)
    end = time.monotonic() + 30
    while not mark.exists() and time.monotonic() < end:
        time.sleep(0.01)
    os.close(master)  # the kernel hangs up
    assert process.wait(30) == 0
    assert mark.read_text() == "drained"


@pytest.mark.parametrize("is_nohup", [False, True])
def test_a_hang_up_that_is_ignored_stays_so(is_nohup: bool) -> None:
    code = """
import os, signal, sys
if sys.argv[1] == "True":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
from vlmhb.execution.session import StopSignal, stop_on_signals
stop = StopSignal()
with stop_on_signals(stop):
    os.kill(os.getpid(), signal.SIGHUP)
    print(stop.draining)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(is_nohup)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(not is_nohup)
