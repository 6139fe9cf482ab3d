"""The model server: started when needed, again when it dies, given up in the end, and gone afterwards."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from scripted import IMAGE, ScriptedEngine, ScriptedHandle, make_session, ticking
from vlmhb.engines.base import ContainerTask, Handle, TaskExit
from vlmhb.errors import BadCard, Interrupted
from vlmhb.execution.replica import EXIT_LOAD_FAILED, FAILED, LONG_LIFE_S, MAX_IDLE_RESTARTS
from vlmhb.execution.server_config import ServerRequest, server_command, write_config
from vlmhb.execution.servers import SOCKETS, ServerGroup, model_server
from vlmhb.execution.session import Session
from vlmhb.modelcard import ModelCard, ServerCard
from vlmhb.resources.gpus import Gpu, Inventory
from vlmhb.resources.leases import LeaseDesk
from vlmhb.resources.need import GpuNeed
from vlmhb.resources.pool import GpuPool

CARD = ModelCard(name="m", framework="F", interface="python", class_path="a:B", tasks=("ocr",))


@pytest.fixture(autouse=True)
def private_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """So that a look for leftovers sees this test's only."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def gpus_of(session: Session, *uuids: str) -> GpuPool:
    found = tuple(
        Gpu(index=str(n), uuid=uuid, name="Pretended", memory_mib=8192, used_mib=100)
        for n, uuid in enumerate(uuids)
    )
    inventory = Inventory(gpus=found, source="nvml")
    desk = LeaseDesk(folder=session.workspace.root / "leases")
    return GpuPool(find=lambda: inventory, env={}, desk=desk)


def server(
    session: Session,
    *,
    card: ModelCard = CARD,
    copies: int = 1,
    batch: int | None = None,
    asked: tuple[str, ...] = (),
) -> AbstractContextManager[ServerGroup]:
    request = ServerRequest(model=card, identity="c" * 64, image=IMAGE, batch_size=batch)
    return model_server(session, request, need=GpuNeed(model="m", copies=copies, asked=asked))


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
    session = dataclasses.replace(session, gpus=gpus_of(session, "GPU-1", "GPU-2"))
    with server(session, asked=("1", "GPU-1")) as one:
        assert engine.started == []
        one.begin()
        one.tick()
        one.tick()
        (task,) = engine.started
        assert task.gpus == ("GPU-2", "GPU-1")
        assert folder_of(task).stat().st_mode & 0o777 == 0o700
        assert one.facts() == {
            "server_restarts": 0,
            "not_enforced": [],
            "server_peak_memory_mib": 321.5,
            "gpus": ["GPU-2", "GPU-1"],
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


def test_a_link_that_a_model_leaves_leads_no_word_of_ours_elsewhere(tmp_path: Path) -> None:
    """It may write in the folder of its socket; what it points at there is a path of ours, not of its container."""
    precious = tmp_path / "precious"
    precious.write_text("mine")

    def start(task: ContainerTask) -> Handle:
        (folder_of(task) / FAILED).symlink_to(precious)
        return ScriptedHandle([TaskExit(code=EXIT_LOAD_FAILED, reason="exit")])

    engine = ScriptedEngine({"server": [start]})
    with server(make_session(tmp_path, engine, clock=ticking(100.0))) as one:
        for _ in range(3):
            one.tick()
        failed = folder_of(engine.started[0]) / FAILED
        assert failed.read_text().startswith("exit code 3") and not failed.is_symlink()
    assert precious.read_text() == "mine"


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
    monkeypatch.setattr("vlmhb.execution.server_log.MAX_LOG", 1000)
    monkeypatch.setattr("vlmhb.execution.server_log.KEPT_LOG", 100)
    engine = ScriptedEngine({"server": [runs(ScriptedHandle([]))]})
    session = make_session(tmp_path, engine)
    with server(session) as one:
        one.tick()
        (log,) = (session.workspace.root / "cache" / "servers").glob("*.log")
        log.write_text("x" * 2000 + "the end")
        until = time.monotonic() + 20
        while len(said := log.read_text()) not in range(1, 200) and time.monotonic() < until:
            time.sleep(0.01)  # nobody ticks: another inference may be on its way; it is empty for a moment
        assert said.startswith("[the beginning was cut off]")
        assert said.endswith("the end")
        assert len(said) < 200


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


REPLICAS = 3


def of(number: int, task: ContainerTask) -> bool:
    return task.name.endswith(f"-{number}")


def test_replicas_have_a_socket_folder_and_gpus_each(tmp_path: Path) -> None:
    handles = [ScriptedHandle([], peak=float(n)) for n in range(REPLICAS)]
    engine = ScriptedEngine({"server": [runs(handle) for handle in handles]})
    session = make_session(tmp_path, engine)
    uuids = [f"GPU-{n}" for n in range(6)]
    session = dataclasses.replace(session, gpus=gpus_of(session, *uuids))
    with server(session, copies=REPLICAS, asked=tuple(uuids)) as group:
        group.begin()
        group.tick()
        assert [task.gpus for task in engine.started] == [
            ("GPU-0", "GPU-1"),
            ("GPU-2", "GPU-3"),
            ("GPU-4", "GPU-5"),
        ]
        mounts = {mount.target: mount.source for mount in group.mounts()}
        assert mounts == {f"/vlmhb/sock/{n}": folder_of(engine.started[n]) for n in range(REPLICAS)}
        assert len({task.name for task in engine.started}) == REPLICAS
        assert set(group.handles()) == {"server-0", "server-1", "server-2"}
        facts = group.facts()
        assert facts["gpus"] == uuids
        assert facts["server_peak_memory_mib"] == 2.0
    assert [handle.calls for handle in handles] == [["terminate", "stop"]] * REPLICAS


def test_a_replica_that_keeps_dying_is_given_up_and_the_others_go_on(tmp_path: Path) -> None:
    engine = ScriptedEngine({"server": []})

    def start(task: ContainerTask) -> Handle:
        return dies(41)(task) if of(1, task) else ScriptedHandle([])

    engine.scripts["server"] = [start] * 20
    session = make_session(tmp_path, engine, clock=ticking(10.0))
    with server(session, copies=2) as group:
        group.begin()
        for done in range(1, 40):
            group.tick()
            group.on_event({"type": "progress", "done": done})  # of the other one
        folders = {mount.target: mount.source for mount in group.mounts()}
        assert (folders["/vlmhb/sock/1"] / FAILED).read_text().startswith("exit code 41")
        assert not (folders["/vlmhb/sock/0"] / FAILED).exists()
        assert sum(of(1, task) for task in engine.started) == MAX_IDLE_RESTARTS + 1
        facts = group.facts()
        assert facts["server_restarts"] == MAX_IDLE_RESTARTS
        assert facts["warnings"] == ["server 1: the model server died 5 time(s): exit code 41"]


def test_a_replica_that_lived_long_is_not_dying_in_a_circle(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.scripts["server"] = [lambda task: dies(41)(task) if of(1, task) else ScriptedHandle([])] * 60
    session = make_session(tmp_path, engine, clock=ticking(LONG_LIFE_S))
    with server(session, copies=2) as group:
        group.begin()
        for _ in range(60):
            group.tick()
        assert sum(of(1, task) for task in engine.started) > MAX_IDLE_RESTARTS + 2


def test_only_the_replica_that_hangs_is_restarted(tmp_path: Path) -> None:
    handles = [ScriptedHandle([]), ScriptedHandle([])]
    engine = ScriptedEngine({"server": [runs(handle) for handle in handles]})
    with server(make_session(tmp_path, engine), copies=2) as group:
        group.tick()
        group.on_event({"type": "restart_server", "server": 1, "reason": "timeout"})
        group.on_event({"type": "restart_server", "server": 7, "reason": "timeout"})
        assert [handle.calls for handle in handles] == [[], ["stop"]]


def level_of(task: ContainerTask) -> int:
    config = next(mount.source for mount in task.mounts if mount.target == "/vlmhb/model.json")
    return int(json.loads(config.read_text()).get("oom_level", 0))


def test_memory_that_runs_out_lowers_the_batch_where_the_card_allows_it(tmp_path: Path) -> None:
    levels: list[int] = []

    def start(task: ContainerTask) -> Handle:
        levels.append(level_of(task))
        return ScriptedHandle([TaskExit(code=137, reason="oom")] if len(levels) < 3 else [])

    engine = ScriptedEngine({"server": [start] * 5})
    card = CARD.model_copy(update={"on_oom": ("batch",)})
    with server(make_session(tmp_path, engine, clock=ticking(100.0)), card=card, batch=16) as group:
        for _ in range(8):
            group.tick()
        assert levels == [0, 1, 2]
        assert "max_batch lowered to 4: the model server ran out of memory" in group.facts()["warnings"]


@pytest.mark.parametrize(
    "words",
    [
        "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
        "ValueError: No available memory for the cache blocks.",
    ],
)
def test_gpu_memory_that_runs_out_at_the_load_is_tried_with_less(tmp_path: Path, words: str) -> None:
    levels: list[int] = []

    def start(task: ContainerTask) -> Handle:
        levels.append(level_of(task))
        log = next((tmp_path / "workspace" / "cache" / "servers").glob("*.log"))
        with log.open("a") as file:
            file.write(words if len(levels) == 1 else "ready")
        return ScriptedHandle([TaskExit(code=EXIT_LOAD_FAILED, reason="exit")] if len(levels) == 1 else [])

    engine = ScriptedEngine({"server": [start] * 5})
    card = CARD.model_copy(update={"on_oom": ("batch",)})
    with server(make_session(tmp_path, engine, clock=ticking(100.0)), card=card) as group:
        for _ in range(5):
            group.tick()
        assert levels == [0, 1]
        told = "max_batch lowered to 1/2 of the model's: the model server ran out of memory"
        assert told in group.facts()["warnings"]


def test_a_card_that_says_nothing_about_memory_is_left_as_it_is(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.scripts["server"] = [lambda _: ScriptedHandle([TaskExit(code=137, reason="oom")])] * 9
    with server(make_session(tmp_path, engine, clock=ticking(100.0)), batch=16) as group:
        for _ in range(5):
            group.tick()
        assert {level_of(task) for task in engine.started} == {0}
        assert not any("max_batch" in text for text in group.facts()["warnings"])


def test_a_server_that_the_driver_calls_out_of_memory_starts_again_with_less(tmp_path: Path) -> None:
    engine = ScriptedEngine({"server": [runs(ScriptedHandle([])), runs(ScriptedHandle([]))]})
    card = CARD.model_copy(update={"on_oom": ("batch",)})
    with server(make_session(tmp_path, engine, clock=ticking(100.0)), card=card, batch=8) as group:
        group.tick()
        log = next((tmp_path / "workspace" / "cache" / "servers").glob("*.log"))
        log.write_text("torch.cuda.OutOfMemoryError: CUDA out of memory.\n")  # of which the driver has heard
        group.on_event({"type": "restart_server", "server": 0, "reason": "oom"})
        for _ in range(3):
            group.tick()
        assert level_of(engine.started[1]) == 1  # once for one lack of memory, though two tell of it


def test_the_config_says_what_serve_has_to_know(tmp_path: Path) -> None:
    card = ModelCard(
        name="v",
        framework="F",
        interface="server",
        tasks=("ocr",),
        server=ServerCard(command=("vllm", "serve", "{weights}"), env={"A": "1"}),
        concurrency=8,
        trust_remote_code=True,
    )
    request = ServerRequest(
        model=card, identity="c" * 64, image=IMAGE, weights=True, concurrency=8, batch_size=4
    )
    told = json.loads(write_config(tmp_path / "model.json", request, gpus=2, oom_level=1).read_text())
    assert (told["gpus"], told["oom_level"], told["concurrency"], told["max_batch"]) == (2, 1, 8, 4)
    assert told["weights"] == "/vlmhb/in/weights"
    assert told["server"]["command"] == ["vllm", "serve", "{weights}"]
    assert told["trust_remote_code"] is True
    assert server_command(request, gpus=2)[:3] == ("python3", "/vlmhb/kit.pyz", "serve")


def test_an_image_without_python_runs_the_command_of_the_card(tmp_path: Path) -> None:
    command = (
        "/app/llama-server",
        "-m",
        "{weights}/m.gguf",
        "--host",
        "{socket}",
        "-np",
        "{max_batch}",
        "{}",
    )
    card = CARD.model_copy(
        update={"interface": "server", "server": ServerCard(command=command, python=False)}
    )
    request = ServerRequest(model=card, identity="c" * 64, image=IMAGE, weights=True, batch_size=8)
    assert server_command(request, gpus=0, oom_level=1) == (
        "/app/llama-server",
        *("-m", "/vlmhb/in/weights/m.gguf"),
        *("--host", "/vlmhb/sock/model.sock"),
        *("-np", "4", "{}"),
    )
    deaf = card.model_copy(update={"server": ServerCard(command=("x", "--port", "{port}"), python=False)})
    with pytest.raises(BadCard, match="does not listen on"):
        server_command(dataclasses.replace(request, model=deaf), gpus=0)
