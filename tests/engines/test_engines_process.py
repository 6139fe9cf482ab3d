"""The `process` engine: real processes, seen from inside and from outside."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_bench import LABEL, follow, wait_until
from vlmhb.command import run_command
from vlmhb.engines.base import ContainerTask, Handle, ImageSpec, Mount, TaskExit
from vlmhb.engines.process import LONGEST_STATE_PATH, ProcessEngine, network_cutter, state_folder
from vlmhb.engines.process_registry import ProcessId, ProcessRegistry
from vlmhb.errors import EngineUnavailable, ImageMissing

VENV = ImageSpec(name="stages", ref="stages", identity="venv:0", env=Path(sys.prefix))
RUN = {LABEL: "this"}


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    state = Path("/tmp") / f"vlmhb-test-{secrets.token_hex(4)}"
    found = ProcessEngine(cut_network=network_cutter(), state=state)
    yield found
    for root in ProcessRegistry(state).find(labels={}):
        root.kill()
        root.remove()
    if state.exists():
        state.rmdir()  # fails when a test left something behind


def task(code: str, *words: str, **changes: Any) -> ContainerTask:
    values: dict[str, Any] = {
        "name": "t",
        "image": VENV,
        "command": ("python3", "-c", code, *words),
        "labels": RUN,
    }
    return ContainerTask(**{**values, **changes})


def run(engine: ProcessEngine, log: Path, code: str, *words: str, **changes: Any) -> TaskExit:
    return follow(engine.start(task(code, *words, **changes), log=log))


def start(engine: ProcessEngine, log: Path, code: str, **changes: Any) -> Handle:
    handle = engine.start(task(f"print('ready', flush=True)\n{code}", **changes), log=log)
    wait_until(lambda: "ready" in log.read_text())
    return handle


def test_environment_is_clean(engine: ProcessEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "HTTP_PROXY", "PYTHONPATH", "LD_PRELOAD_CANARY"):
        monkeypatch.setenv(name, "canary-1c9f")
    log = tmp_path / "log"
    code = "import json, os, sys; print(json.dumps([dict(os.environ), sys.prefix, os.getcwd()]))"
    assert run(engine, log, code, env={"X": "/vlmhb/a:/b"}).code == 0
    env, prefix, cwd = json.loads(log.read_text())
    root = env["VLMHB_ROOT"]
    assert "canary-1c9f" not in log.read_text()
    assert (prefix, cwd, env["HOME"], env["X"]) == (sys.prefix, f"{root}/tmp", f"{root}/tmp", f"{root}/a:/b")
    assert not Path(root).exists()


def test_mounts_are_links_below_a_private_root(engine: ProcessEngine, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/page").write_text("a page")
    (tmp_path / "out").mkdir()
    mounts = (
        Mount(source=tmp_path / "in", target="/vlmhb/in/media"),
        Mount(source=tmp_path / "out", target="/vlmhb/out", writable=True),
    )
    code = "import sys; open(sys.argv[2][6:] + '/x', 'w').write(open(sys.argv[1]).read())"
    ended = run(engine, tmp_path / "log", code, "/vlmhb/in/media/page", "--out=/vlmhb/out", mounts=mounts)
    assert ended.code == 0, (tmp_path / "log").read_text()
    assert (tmp_path / "out/x").read_text() == "a page"
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["page"]


def test_a_mount_inside_a_mount_is_refused(engine: ProcessEngine, tmp_path: Path) -> None:
    inner = Mount(source=tmp_path, target="/vlmhb/in/media")
    with pytest.raises(ValueError, match="inside another mount"):
        run(engine, tmp_path / "log", "", mounts=(Mount(source=tmp_path, target="/vlmhb/in"), inner))
    assert not (tmp_path / "media").exists()


def test_socket_path_fits_on_any_machine() -> None:
    long = Path("/" + "x" * LONGEST_STATE_PATH)
    for base in (long, Path("/tmp")):
        path = state_folder(uid=2**31, base=base) / "01234567" / "sock" / "model.sock"
        with socket.socket(socket.AF_UNIX) as own:
            assert own.connect_ex(str(path)) != 0  # an over-long path raises instead
        assert len(str(path)) < 100


def test_no_network_where_it_can_be_taken_away(engine: ProcessEngine, tmp_path: Path) -> None:
    if not engine.cut_network:
        pytest.skip("this user may not make network namespaces")
    code = "import socket; print(*[name for _, name in socket.if_nameindex()])"
    run(engine, tmp_path / "none", code)
    run(engine, tmp_path / "egress", code, network="egress")
    assert (tmp_path / "none").read_text() == "lo\n"
    inside = set((tmp_path / "egress").read_text().split())
    assert inside == {name for _, name in socket.if_nameindex()}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(3)", (3, "exit", "")),
        ("import os; os.kill(os.getpid(), 9)", (137, "exit", "killed by SIGKILL")),
    ],
)
def test_exit(engine: ProcessEngine, tmp_path: Path, code: str, expected: tuple[int, str, str]) -> None:
    ended = run(engine, tmp_path / "log", code)
    assert (ended.code, ended.reason, ended.detail) == expected


def test_missing_program_and_missing_environment(engine: ProcessEngine, tmp_path: Path) -> None:
    ended = run(engine, tmp_path / "log", "", command=("no-such-program",))
    assert (ended.code, ended.reason) == (127, "engine_error")
    with pytest.raises(ImageMissing, match="no virtual environment"):
        run(engine, tmp_path / "log", "", image=VENV.model_copy(update={"env": tmp_path / "none"}))


def test_stop_asks_first_and_then_kills(engine: ProcessEngine, tmp_path: Path) -> None:
    polite = start(engine, tmp_path / "a", "import signal, sys\nsignal.pause()")
    polite.stop(grace_s=20)
    deaf = "import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('deaf', flush=True)\nwhile True: signal.pause()"
    stubborn = start(engine, tmp_path / "b", deaf)
    wait_until(lambda: "deaf" in (tmp_path / "b").read_text())
    stubborn.stop(grace_s=0.2)
    assert (polite.poll().code, polite.poll().reason) == (143, "stopped")
    assert (stubborn.poll().code, stubborn.poll().reason) == (137, "stopped")


@pytest.mark.parametrize("own_session", [False, True])
def test_what_a_task_leaves_running_ends_with_it(
    engine: ProcessEngine, tmp_path: Path, own_session: bool
) -> None:
    code = (
        "import subprocess\n"
        f"child = subprocess.Popen(['sleep', '300'], start_new_session={own_session})\nprint(child.pid)"
    )
    assert run(engine, tmp_path / "log", code).code == 0
    pid = int((tmp_path / "log").read_text())
    wait_until(lambda: ProcessId.of(pid) is None)


def test_peak_memory_counts_children(engine: ProcessEngine, tmp_path: Path) -> None:
    inner = "x = bytearray(60 << 20); print('full', flush=True); import signal; signal.pause()"
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {inner!r}])"
    handle = start(engine, tmp_path / "log", code)
    wait_until(lambda: "full" in (tmp_path / "log").read_text())
    assert handle.poll() is None
    handle.stop(grace_s=5)
    assert 60 < handle.poll().peak_memory_mib < 200


def test_cleanup_ends_orphans_of_a_killed_host_and_nobody_else(engine: ProcessEngine, tmp_path: Path) -> None:
    other = start(engine, tmp_path / "other", "import signal; signal.pause()", labels={LABEL: "other"})
    orphan = task("import os, signal; print(os.getpid(), flush=True); signal.pause()")
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from vlmhb.engines.base import ContainerTask\nfrom vlmhb.engines.process import ProcessEngine\n"
        f"engine = ProcessEngine(state=Path({str(engine.state)!r}))\n"
        "engine.start(ContainerTask.model_validate_json(sys.argv[1]), log=Path(sys.argv[2]))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    log = tmp_path / "log"
    assert run_command([sys.executable, "-c", program, orphan.model_dump_json(), str(log)]).code == -9
    wait_until(lambda: log.read_text().strip().isdigit())
    pid = int(log.read_text())
    assert ProcessId.of(pid) is not None
    assert engine.cleanup(labels=RUN) == 1
    wait_until(lambda: ProcessId.of(pid) is None)
    assert other.poll() is None
    other.stop(grace_s=5)


def test_cleanup_leaves_a_process_whose_number_was_used_again(engine: ProcessEngine) -> None:
    root = ProcessRegistry(engine.state).new(name="t", labels=RUN)
    root.record(pid=os.getpid())
    record = json.loads((root.path / "task.json").read_text())
    record["leader"]["started"] = "1"
    (root.path / "task.json").write_text(json.dumps(record))
    assert engine.cleanup(labels=RUN) == 1  # the folder goes, and this very test goes on
    assert not root.path.exists()


def test_state_folder_of_someone_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "vlmhb-0"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(EngineUnavailable, match="open to others"):
        ProcessRegistry(folder).new(name="t", labels={})
