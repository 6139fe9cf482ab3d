"""What is Apptainer's alone: variables word by word, a client whose end is the end, and how ends are told apart."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from engine_bench import Bench, follow, wait_until
from vlmhb.command import CommandResult
from vlmhb.engines.apptainer import ApptainerEngine
from vlmhb.engines.apptainer_exit import classify
from vlmhb.engines.apptainer_inside import Inside, look_inside
from vlmhb.engines.apptainer_sif import sif_obstacle
from vlmhb.engines.base import Limits
from vlmhb.engines.doctor import doctor_checks
from vlmhb.engines.kernel_log import KernelLog
from vlmhb.engines.process_registry import ProcessRegistry

OOM = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
    "oom_memcg=/apptainer/{0},task_memcg=/apptainer/{0},task=dd,pid=9,uid=0\n"
)


def test_values_arrive_word_by_word(apptainer_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apptainer would split at commas and run `$(...)`; and the caller's own settings are not the task's."""
    monkeypatch.setenv("APPTAINERENV_LEAKED", "leaked")
    monkeypatch.setenv("APPTAINER_BIND", "/etc:/vlmhb/leaked")
    odd = "a,b=c \"d\" $(id) `id` $HOME \\ 'e'\nsecond line"
    ended = apptainer_bench.run('echo "[$ODD]"; env; ls /vlmhb', env={"ODD": odd})
    assert ended.reason == "exit"
    assert f"[{odd}]" in apptainer_bench.said()
    assert "leaked" not in apptainer_bench.said()


def test_home_is_the_private_folder_whoever_the_user_is(apptainer_bench: Bench) -> None:
    ended = apptainer_bench.run('echo x >"$HOME/x" && echo "$HOME"', user="65534:65534")
    assert (ended.code, apptainer_bench.said()) == (0, "/tmp\n")


@pytest.mark.parametrize("network", ["none", "egress"])
def test_localhost_has_a_name_with_and_without_a_network(apptainer_bench: Bench, network: str) -> None:
    """On the machine's own network, its own names: a model server may run there under one of them."""
    ended = apptainer_bench.run("cat /etc/hosts", network=network)
    assert ended.code == 0
    assert "localhost" in apptainer_bench.said()
    assert (apptainer_bench.said() == Path("/etc/hosts").read_text()) == (network == "egress")


def test_gpus_are_named_inside(apptainer_bench: Bench) -> None:
    """`--nv` on a machine without a GPU says nothing: the backend's own check must, and here does not run."""
    ended = apptainer_bench.run('echo "$CUDA_VISIBLE_DEVICES"', gpus=("GPU-1", "GPU-2"))
    assert (ended.code, apptainer_bench.said().splitlines()[-1]) == (0, "GPU-1,GPU-2")


def test_a_killed_client_takes_its_container_along(apptainer_bench: Bench) -> None:
    handle = apptainer_bench.start("sleep 60")
    handle.verify()
    (root,) = _roots(apptainer_bench)
    os.kill(root.leader() or 0, signal.SIGKILL)
    ended = follow(handle)
    assert (ended.code, ended.reason, ended.detail) == (137, "exit", "killed by SIGKILL")
    assert apptainer_bench.left() == []


def test_a_network_that_was_to_be_cut_and_is_not_is_seen(apptainer_bench: Bench) -> None:
    engine = apptainer_bench.engine
    assert isinstance(engine, ApptainerEngine)
    open_engine = replace(engine, dialect=replace(engine.dialect, cut_network=False))
    task = apptainer_bench.task("echo ready; sleep 60")
    assert "network" in open_engine.render(task).not_enforced
    handle = open_engine.start(task, log=apptainer_bench.log)
    missing = handle.verify()
    handle.stop(grace_s=0)
    assert "network" in missing


def test_limits_that_do_not_work_are_told_and_not_asked_for(apptainer_bench: Bench) -> None:
    engine = apptainer_bench.engine
    assert isinstance(engine, ApptainerEngine)
    weak = replace(engine, dialect=replace(engine.dialect, limits_work=False))
    task = apptainer_bench.task("echo ready; sleep 60", limits=Limits(memory_mib=64, cpus=0.5, pids=32))
    assert set(weak.render(task).not_enforced) == {"memory", "cpus", "pids"}
    handle = weak.start(task, log=apptainer_bench.log)
    wait_until(lambda: apptainer_bench.log.exists() and "ready" in apptainer_bench.said())
    assert handle.verify() == ()
    usage = handle.usage()
    assert usage is not None
    assert usage.rss_mib is not None
    handle.stop(grace_s=0)


def test_no_cgroup_of_ours_is_left(apptainer_bench: Bench) -> None:
    if not apptainer_bench.engine.dialect.limits_work:
        pytest.skip("this user may not limit anything")
    handle = apptainer_bench.start("sleep 60")
    handle.verify()
    folders = {chain[0] for chain in handle._cgroup.folders.values()}
    assert folders
    assert all(folder.is_dir() for folder in folders)
    handle.stop(grace_s=0)
    assert [folder for folder in folders if folder.is_dir()] == []


@pytest.mark.parametrize(
    ("facts", "reason", "detail"),
    [
        ({"code": 0}, "exit", ""),
        ({"code": 137}, "exit", "killed by SIGKILL"),
        ({"code": 255, "ran": True, "said": "FATAL: mine\n"}, "exit", ""),
        ({"code": 255, "said": "no such thing\n"}, "exit", ""),
        ({"code": 255, "said": "x\nFATAL:   no  loop devices\n"}, "engine_error", "no loop devices"),
        (
            {"code": 255, "said": 'FATAL:   "x": executable file not found in $PATH\n'},
            "engine_error",
            'the command cannot be run: "x": executable file not found in $PATH',
        ),
        ({"code": 137, "memory_kill": True, "limit_mib": 64}, "oom", "out of memory: the limit of 64 MiB"),
        ({"code": 137, "memory_kill": True}, "oom", "out of memory: the machine's memory"),
        (
            {"code": 0, "memory_kill": True, "limit_mib": 64},
            "child_oom",
            "a process inside was killed: out of memory, the limit of 64 MiB",
        ),
        ({"code": 137, "vanished": True}, "engine_error", "the container vanished: ended by another program"),
        ({"code": 137, "stopped": True, "vanished": True}, "stopped", ""),
    ],
)
def test_how_it_ended(facts: dict[str, object], reason: str, detail: str) -> None:
    plain = {
        "ran": False,
        "vanished": False,
        "stopped": False,
        "memory_kill": False,
        "limit_mib": None,
        "said": "",
    }
    ended = classify(**{**plain, **facts})
    assert (ended.reason, ended.detail) == (reason, detail)


def test_the_program_is_told_from_init_and_from_what_is_not_the_program_yet(tmp_path: Path) -> None:
    for pid, name, numbers in ((10, "starter", "10"), (11, "appinit", "11 1"), (12, "appinit", "12 15")):
        _status(tmp_path, pid, name=name, numbers=numbers)
    assert look_inside([10], proc=tmp_path) == Inside()
    assert look_inside([10, 11, 12], proc=tmp_path) == Inside(init=11)
    _status(tmp_path, 12, name="python3", numbers="12 15")
    assert look_inside([10, 11, 12], proc=tmp_path) == Inside(init=11, program=12)


def test_memory_kills_are_read_from_the_kernels_log(tmp_path: Path) -> None:
    path = tmp_path / "kmsg"
    path.write_text(OOM.format(1))
    log = KernelLog(path)
    with path.open("a") as file:
        file.write("6,1,2,-;something else\n" + OOM.format(42))
    assert log.memory_cgroups() == ("/apptainer/42",)
    assert log.memory_cgroups() == ()
    log.close()
    assert KernelLog(tmp_path / "none").memory_cgroups() == ()


@pytest.mark.parametrize(
    ("there", "root", "obstacle"),
    [
        ({"mksquashfs", "/dev/loop-control"}, True, ""),
        ({"mksquashfs"}, True, "no loop devices"),
        ({"mksquashfs", "squashfuse", "/dev/fuse"}, False, ""),
        ({"mksquashfs", "squashfuse_ll"}, False, "may not open /dev/fuse"),
        ({"mksquashfs", "/dev/fuse"}, False, "squashfuse is missing"),
        ({"squashfuse", "/dev/fuse"}, False, "squashfs-tools"),
    ],
)
def test_images_are_files_where_they_can_be_mounted(there: set[str], root: bool, obstacle: str) -> None:
    found = sif_obstacle(
        root=root, which=lambda name: name in there or None, usable=lambda path: str(path) in there
    )
    assert obstacle in found
    assert bool(obstacle) == bool(found)


def test_doctor_says_what_an_installation_cannot_do() -> None:
    def run(argv: Sequence[str]) -> CommandResult:
        refused = argv[0] == "env" and ("--memory" in argv or "--net" in argv)
        known = {"--version": "apptainer version 1.4.5", "buildcfg": "APPTAINER_SUID_INSTALL=1"}
        code = 255 if refused else 0 if argv[0] in ("apptainer", "env") else 127
        return CommandResult(argv=tuple(argv), code=code, stdout=known.get(argv[-1], ""), stderr="FATAL: no")

    (check,) = [check for check in doctor_checks(run=run) if check.name == "apptainer"]
    assert check.ok
    for words in (
        "installed with setuid",
        "the network cannot be taken away",
        "no memory, CPU and process limits",
    ):
        assert words in check.detail


def _status(proc: Path, pid: int, *, name: str, numbers: str) -> None:
    (proc / str(pid)).mkdir(exist_ok=True)
    (proc / str(pid) / "status").write_text(f"Name:\t{name}\nNSpid:\t{numbers.replace(' ', chr(9))}\n")


def _roots(bench: Bench) -> list:
    labels = bench.task("").labels
    return ProcessRegistry(bench.engine.state).find(labels=labels)
