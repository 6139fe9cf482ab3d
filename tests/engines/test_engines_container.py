"""What a container engine is asked for is what a task gets: real containers, one body for all engines."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import sys
from pathlib import Path

import pytest
from engine_bench import Bench, wait_until
from tools_image import tools_image
from vlmhb.command import run_command
from vlmhb.engines.base import ContainerTask, ImageSpec, Limits, Mount
from vlmhb.engines.container import ContainerEngine
from vlmhb.errors import ImageMissing

TYPES = ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "Uid", "Gid")


def needs_limits(bench: Bench) -> None:
    if not bench.limits_work:
        pytest.skip(f"{bench.engine.name} cannot limit anything for this user, and says so")


def test_a_task_is_isolated(bench: Bench, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "page.txt").write_text("a page")
    out = tmp_path / "out"
    out.mkdir(mode=0o777)
    out.chmod(0o777)
    script = """
        cat /proc/net/dev /proc/self/status
        touch /x || echo root is read-only
        touch /vlmhb/in/x || echo input is read-only
        touch /tmp/x && touch "$HOME/y" && echo tmp is writable
        cat /vlmhb/in/page.txt; touch /vlmhb/out/x
    """
    mounts = (
        Mount(source=source, target="/vlmhb/in"),
        Mount(source=out, target="/vlmhb/out", writable=True),
    )
    uid, gid = ("12345", "23456") if os.getuid() == 0 else (str(os.getuid()), str(os.getgid()))
    ended = bench.run(script, mounts=mounts, user=f"{uid}:{gid}")
    assert (ended.code, ended.reason) == (0, "exit")
    said = bench.said()
    assert re.findall(r"^\s*(\w+):.*\d$", said.partition("Name:")[0], re.MULTILINE) == ["lo"]
    status = {name: re.search(rf"^{name}:\s*(\w+)", said, re.MULTILINE)[1] for name in TYPES}
    assert status == {
        "CapEff": "0" * 16,
        "CapBnd": "0" * 16,
        "NoNewPrivs": "1",
        "Seccomp": "2",
        "Uid": uid,
        "Gid": gid,
    }
    for line in ("root is read-only", "input is read-only", "tmp is writable", "a page"):
        assert line in said
    assert (out / "x").stat().st_uid == int(uid)


def test_exit_code_and_both_outputs(bench: Bench) -> None:
    bench.log.write_text("before\n")
    ended = bench.run("echo to out; echo to err >&2; exit 3")
    assert (ended.code, ended.reason) == (3, "exit")
    assert sorted(bench.said().split("\n")) == ["", "before", "to err", "to out"]


@pytest.mark.parametrize("code", [125, 126, 127])
def test_codes_of_the_engine_may_be_a_programs_own(bench: Bench, code: int) -> None:
    assert (bench.run(f"exit {code}").code, bench.run(f"exit {code}").reason) == (code, "exit")


def test_out_of_memory(bench: Bench) -> None:
    needs_limits(bench)
    task = {"command": ("dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1")}
    ended = bench.run("", **task)
    assert (ended.code, ended.reason, ended.peak_memory_mib) == (137, "oom", 64)
    assert "64 MiB" in ended.detail


def test_a_child_out_of_memory_is_seen_though_the_task_succeeds(bench: Bench) -> None:
    needs_limits(bench)
    ended = bench.run("dd if=/dev/zero of=/dev/null bs=200M count=1; true")
    assert (ended.code, ended.reason) == (0, "child_oom")


def test_a_kill_is_not_taken_for_out_of_memory(bench: Bench) -> None:
    ended = bench.run("kill -9 $$")
    assert (ended.code, ended.reason, ended.detail) == (137, "exit", "killed by SIGKILL")


def test_number_of_processes_is_limited(bench: Bench) -> None:
    needs_limits(bench)
    ended = bench.run(
        "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done; echo all started", limits=Limits(pids=6)
    )
    assert ended.code != 0
    assert "all started" not in bench.said()


def test_limits_are_read_back_from_the_running_container(bench: Bench) -> None:
    handle = bench.start("sleep 60")
    assert handle.verify() == ()
    handle.stop(grace_s=0)


def test_peak_memory_is_sampled(bench: Bench) -> None:
    handle = bench.start("dd if=/dev/zero of=/tmp/x bs=1M count=8; echo full; sleep 60")
    handle.verify()
    handle.stop(grace_s=0)
    assert 1 < handle.poll().peak_memory_mib < 64


def test_stop_asks_first(bench: Bench) -> None:
    handle = bench.start("trap 'echo bye; exit 7' TERM; sleep 60 & wait")
    handle.stop(grace_s=20)
    assert (handle.poll().code, handle.poll().reason) == (7, "stopped")
    assert "bye" in bench.said()


def test_stop_kills_what_does_not_listen(bench: Bench) -> None:
    handle = bench.start("trap '' TERM; while true; do sleep 1; done")
    handle.stop(grace_s=1)
    assert (handle.poll().code, handle.poll().reason) == (137, "stopped")


def test_stop_after_the_end_keeps_the_end(bench: Bench) -> None:
    handle = bench.engine.start(bench.task("exit 5"), log=bench.log)
    wait_until(lambda: handle.poll() is not None)
    handle.stop(grace_s=1)
    assert (handle.poll().code, handle.poll().reason) == (5, "exit")


def test_nothing_is_left_of_an_ended_container(bench: Bench) -> None:
    bench.run("true")
    bench.run("", command=("no-such-program",))
    assert bench.left() == []


def test_a_killed_client_is_replaced(daemon_bench: Bench, tmp_path: Path) -> None:
    bench = daemon_bench
    shared = tmp_path / "shared"
    shared.mkdir()
    script = "while [ ! -e /vlmhb/in/go ]; do sleep 0.1; done; echo went on; exit 4"
    handle = bench.start(script, mounts=(Mount(source=shared, target="/vlmhb/in"),))
    assert handle.verify() == ()
    (pid,) = run_command(["pgrep", "-f", f"^{bench.engine.name} run .*{bench.run_label}"]).stdout.split()
    os.kill(int(pid), signal.SIGKILL)
    attach = ["pgrep", "-f", f"^{bench.engine.name} attach"]
    wait_until(lambda: handle.poll() is None and run_command(attach).ok)
    (shared / "go").touch()
    wait_until(lambda: handle.poll() is not None)
    assert (handle.poll().code, handle.poll().reason) == (4, "exit")


def test_cleanup_finds_by_label_what_a_killed_host_left(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setenv("TMPDIR", str(private))
    mine, other = (
        bench.task("sleep 60"),
        bench.task("sleep 60", labels={"org.vlmhb.run": bench.run_label + "-b"}),
    )
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from vlmhb.engines.base import ContainerTask\n"
        f"import pickle\nengine = pickle.loads({pickle.dumps(bench.engine)!r})\n"
        "for text in sys.argv[2:]:\n"
        "    engine.start(ContainerTask.model_validate_json(text), log=Path(sys.argv[1])).verify()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    texts = [mine.model_dump_json(), other.model_dump_json()]
    done = run_command([sys.executable, "-c", program, str(bench.log), *texts])
    assert done.code == -9
    assert len(bench.left()) == 1
    assert bench.engine.cleanup(labels=mine.labels) == 1
    assert bench.left() == []
    assert bench.engine.cleanup(labels=other.labels) == 1
    assert list(private.iterdir()) == []


def test_a_task_sees_that_its_container_was_cleaned_up(bench: Bench) -> None:
    handle = bench.start("sleep 60")
    assert handle.poll() is None
    assert bench.engine.cleanup(labels={"org.vlmhb.run": bench.run_label}) == 1
    wait_until(lambda: handle.poll() is not None)
    assert handle.poll().reason == "engine_error"
    assert "vanished" in handle.poll().detail


def test_cleanup_needs_labels(bench: Bench) -> None:
    with pytest.raises(ValueError, match="labels"):
        bench.engine.cleanup(labels={})


def test_missing_image(bench: Bench) -> None:
    image = ImageSpec(name="stages", ref="vlmhb/never-built:1", identity="sha256:" + "0" * 64)
    with pytest.raises(ImageMissing) as error:
        bench.run("true", image=image)
    assert error.value.hint.startswith("vlmhb images build stages")


def test_image_that_is_not_the_planned_one(bench: Bench) -> None:
    with pytest.raises(ImageMissing, match="planned was sha256:000000000000"):
        bench.run("true", image=bench.image.model_copy(update={"identity": "sha256:" + "0" * 64}))


def test_missing_program(bench: Bench) -> None:
    ended = bench.run("", command=("no-such-program",))
    assert ended.reason == "engine_error"
    assert "the command cannot be run" in ended.detail


def test_paths_with_commas_and_quotes(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / 'a,b "c",readonly'
    folder.mkdir()
    (folder / "x").write_text("found")
    ended = bench.run("cat /vlmhb/in/x", mounts=(Mount(source=folder, target="/vlmhb/in"),))
    assert (ended.code, bench.said()) == (0, "found")


def test_name_of_another_container_is_not_touched(daemon_bench: Bench) -> None:
    bench = daemon_bench
    handle = bench.start("sleep 60", name=f"taken-{bench.run_label}")
    ended = bench.run("true", name=f"taken-{bench.run_label}")
    assert (ended.code, ended.reason) == (125, "engine_error")
    assert "already in use" in ended.detail
    assert handle.poll() is None
    handle.stop(grace_s=0)


def test_canary_secret_stays_in_its_file(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    canary = "canary-6f1d2c"
    monkeypatch.setenv("HF_TOKEN", canary)
    monkeypatch.setenv("https_proxy", f"http://{canary}@localhost:9")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "HF_TOKEN").write_text(canary)
    task = bench.task(
        "echo ready; env; cat /vlmhb/secrets/HF_TOKEN >/tmp/copy && sleep 60",
        mounts=(Mount(source=secrets, target="/vlmhb/secrets"),),
    )
    handle = bench.engine.start(task, log=bench.log)
    handle.verify()
    inspected = bench.inspected(task)
    handle.stop(grace_s=0)
    assert "HOME=/tmp" in inspected
    assert canary not in inspected + bench.said() + " ".join(bench.engine.render(task).argv)


@pytest.mark.docker
def test_docker_understands_exactly_the_leased_gpus(docker_engine: ContainerEngine) -> None:
    ref = tools_image(docker_engine)
    image = ImageSpec(name="tools", ref=ref, identity=ref)
    task = ContainerTask(
        name=f"vlmhb-test-{os.getpid()}", image=image, command=("true",), gpus=("GPU-2222", "GPU-3333")
    )
    argv = list(docker_engine.render(task).argv)
    argv[argv.index("run")] = "create"  # which needs no GPU
    try:
        assert run_command(argv).ok
        (found,) = json.loads(run_command(["docker", "container", "inspect", task.name]).stdout)
    finally:
        run_command(["docker", "rm", task.name])
    assert [request["DeviceIDs"] for request in found["HostConfig"]["DeviceRequests"]] == [
        ["GPU-2222", "GPU-3333"]
    ]


def test_gpu_that_is_not_there_is_an_engine_error(daemon_bench: Bench) -> None:
    ended = daemon_bench.run("true", gpus=("GPU-none",))
    assert ended.reason == "engine_error"
    assert re.search("device", ended.detail)
