"""The model server: started when needed, again when it dies, given up in the end, and gone afterwards."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from scripted import IMAGE, ScriptedEngine, ScriptedHandle, make_session, ticking
from vlmhb.engines.base import ContainerTask, Handle, TaskExit
from vlmhb.errors import Interrupted
from vlmhb.execution.servers import (
    EXIT_LOAD_FAILED,
    FAILED,
    MAX_IDLE_RESTARTS,
    SOCKETS,
    ModelServer,
    model_server,
)
from vlmhb.execution.session import Session
from vlmhb.modelcard import ModelCard

CARD = ModelCard(name="m", framework="F", interface="python", class_path="a:B", tasks=("ocr",))


@pytest.fixture(autouse=True)
def private_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """So that a look for leftovers sees this test's only."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def server(session: Session) -> AbstractContextManager[ModelServer]:
    return model_server(
        session,
        model=CARD,
        identity="c" * 64,
        image=IMAGE,
        mounts=(),
        weights=None,
        gpus=("GPU-1", "GPU-2"),
        batch_size=None,
    )


def dies(code: int, *, says: str = "") -> Callable[[ContainerTask], Handle]:
    def start(_task: ContainerTask) -> Handle:
        return ScriptedHandle([TaskExit(code=code, reason="exit")], peak=100.0)

    return start


def runs(handle: ScriptedHandle) -> Callable[[ContainerTask], Handle]:
    return lambda _: handle


def folder_of(task: ContainerTask) -> Path:
    return next(mount.source for mount in task.mounts if mount.target == "/vlmhb/sock")


def test_it_starts_with_the_first_stage_that_runs_and_ends_with_its_group(
    tmp_path: Path, private_tmp: Path
) -> None:
    handle = ScriptedHandle([], peak=321.5)
    engine = ScriptedEngine({"server": [runs(handle)]})
    session = make_session(tmp_path, engine)
    with server(session) as one:
        assert engine.started == []
        one.begin()
        one.tick()
        one.tick()
        (task,) = engine.started
        assert task.gpus == ("GPU-1", "GPU-2")
        assert folder_of(task).stat().st_mode & 0o777 == 0o700
        assert one.facts() == {
            "server_restarts": 0,
            "not_enforced": [],
            "server_peak_memory_mib": 321.5,
            "gpus": ["GPU-1", "GPU-2"],
            "warnings": [],
        }
    assert handle.calls == ["stop"]
    assert list(private_tmp.iterdir()) == []
    left = {path.suffix for path in (session.workspace.root / "cache" / "servers").iterdir()}
    assert left == {".json", ".log"}


def test_a_server_that_nobody_needed_is_never_started(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    with server(make_session(tmp_path, engine)):
        pass
    assert engine.started == []


def test_it_dies_and_is_started_again_with_back_off(tmp_path: Path) -> None:
    engine = ScriptedEngine({"server": [dies(1), runs(ScriptedHandle([]))]})
    session = make_session(tmp_path, engine, clock=ticking(0.1))
    with server(session) as one:
        one.tick()  # starts
        one.tick()  # is dead
        one.tick()  # too early
        assert len(engine.started) == 1
        for _ in range(5):
            one.tick()
        assert len(engine.started) == 2
        assert one.facts()["server_restarts"] == 1
        assert not (folder_of(engine.started[0]) / FAILED).exists()


def test_five_deaths_without_an_answer_are_enough_for_one_benchmark(tmp_path: Path) -> None:
    engine = ScriptedEngine({"server": [dies(41) for _ in range(20)]})
    session = make_session(tmp_path, engine, clock=ticking(100.0))
    with server(session) as one:
        for _ in range(40):
            one.tick()
        failed = folder_of(engine.started[0]) / FAILED
        assert len(engine.started) == MAX_IDLE_RESTARTS + 1
        assert failed.read_text().startswith("exit code 41; log ")
        one.begin()  # the next benchmark may go well
        assert not failed.exists()
        one.tick()
        assert len(engine.started) == MAX_IDLE_RESTARTS + 2


def test_answers_in_between_make_it_patient_again(tmp_path: Path) -> None:
    engine = ScriptedEngine({"server": [dies(41) for _ in range(20)]})
    session = make_session(tmp_path, engine, clock=ticking(100.0))
    with server(session) as one:
        for done in range(1, 11):
            one.tick()
            one.tick()
            one.on_event({"type": "progress", "done": done})
        assert len(engine.started) == 10
        assert not (folder_of(engine.started[0]) / FAILED).exists()


def test_a_model_that_cannot_load_is_given_up_at_once_and_for_good(tmp_path: Path) -> None:
    def start(_task: ContainerTask) -> Handle:
        log = next((tmp_path / "workspace" / "cache" / "servers").glob("*.log"))
        log.write_text("Traceback ...\nVHB502: no such weights\nbye\n")
        return ScriptedHandle([TaskExit(code=EXIT_LOAD_FAILED, reason="exit")])

    engine = ScriptedEngine({"server": [start, start]})
    with server(make_session(tmp_path, engine, clock=ticking(100.0))) as one:
        for _ in range(5):
            one.tick()
        failed = folder_of(engine.started[0]) / FAILED
        assert failed.read_text().startswith("exit code 3; VHB502: no such weights; log ")
        one.begin()
        one.tick()
        assert failed.exists() and len(engine.started) == 1


def test_a_hung_server_is_stopped_when_the_driver_asks(tmp_path: Path) -> None:
    first, second = ScriptedHandle([]), ScriptedHandle([])
    engine = ScriptedEngine({"server": [runs(first), runs(second)]})
    with server(make_session(tmp_path, engine, clock=ticking(100.0))) as one:
        one.tick()
        one.on_event({"type": "restart_server", "reason": "timeout"})
        assert first.calls == ["stop"]
        for _ in range(3):
            one.tick()
        assert len(engine.started) == 2


def test_memory_kills_are_told(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.scripts["server"] = [lambda _: ScriptedHandle([TaskExit(code=137, reason="oom")])] * 9
    session = make_session(tmp_path, engine, clock=ticking(100.0))
    with server(session) as one:
        for _ in range(20):
            one.tick()
        assert (folder_of(engine.started[0]) / FAILED).read_text().startswith("killed for memory")
        assert one.facts()["warnings"] == [
            "the model server died 5 time(s): killed for memory (raise limits.memory_mib in the card)"
        ]


def test_a_log_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmhb.execution.servers.MAX_LOG", 1000)
    monkeypatch.setattr("vlmhb.execution.servers.KEPT_LOG", 100)
    engine = ScriptedEngine({"server": [runs(ScriptedHandle([]))]})
    session = make_session(tmp_path, engine)
    with server(session) as one:
        one.tick()
        (log,) = (session.workspace.root / "cache" / "servers").glob("*.log")
        log.write_text("x" * 2000 + "the end")
        one.tick()
        assert log.read_text().startswith("[the beginning was cut off]")
        assert log.read_text().endswith("the end")
        assert log.stat().st_size < 200


def test_a_second_run_waits_for_its_turn(tmp_path: Path) -> None:
    session = make_session(tmp_path, ScriptedEngine())
    other = make_session(tmp_path, ScriptedEngine())
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        inside.wait(10)
        with server(other):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with server(session):
        inside.set()
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_stop_request_ends_the_wait(tmp_path: Path) -> None:
    session, other = (make_session(tmp_path, ScriptedEngine()) for _ in range(2))
    other.stop.request()
    with server(session), pytest.raises(Interrupted), server(other):
        pass


def test_folders_of_dead_owners_are_swept_and_those_of_the_living_are_not(
    tmp_path: Path, private_tmp: Path
) -> None:
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    start = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    dead = private_tmp / f"{SOCKETS}{namespace}-4194999-77-abc"
    recycled = private_tmp / f"{SOCKETS}{namespace}-{os.getpid()}-1-abc"
    living = private_tmp / f"{SOCKETS}{namespace}-{os.getpid()}-{start}-abc"
    elsewhere = private_tmp / f"{SOCKETS}1-4194999-77-abc"
    for folder in (dead, recycled, living, elsewhere):
        folder.mkdir()
    with server(make_session(tmp_path, ScriptedEngine())):
        pass
    assert sorted(private_tmp.iterdir()) == sorted([living, elsewhere])
