"""Which engine is chosen, and the words for why not: programs' real answers, given by a stand-in runner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from vlmhb.command import CommandResult, Run
from vlmhb.engines.apptainer import ApptainerEngine
from vlmhb.engines.container import ContainerEngine
from vlmhb.engines.detect import detect, detect_engine
from vlmhb.engines.doctor import cgroup_kind, doctor_checks
from vlmhb.engines.process import ProcessEngine
from vlmhb.engines.users import task_user
from vlmhb.errors import EngineUnavailable

NOT_THERE = (127, "", "No such file or directory")
DENIED = (
    1,
    "",
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
)
DOWN = (
    1,
    "",
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
)


def answers(**given: tuple[int, str, str]) -> Run:
    def run(argv: Sequence[str]) -> CommandResult:
        code, stdout, stderr = given.get(argv[0], NOT_THERE)
        return CommandResult(argv=tuple(argv), code=code, stdout=stdout, stderr=stderr)

    return run


def apptainer_answers(
    *, program: str = "apptainer", version: str = "apptainer version 1.4.5-2", refused: tuple[str, ...] = ()
) -> Run:
    """An installation that ends with FATAL when asked for one of the words `refused`."""

    def run(argv: Sequence[str]) -> CommandResult:
        code, stdout, stderr = NOT_THERE
        if tuple(argv) == (program, "--version"):
            code, stdout, stderr = 0, version + "\n", ""
        elif argv[0] == "env" and program in argv:
            fails = any(word in argv for word in refused)
            code, stderr = (255, "FATAL:   could not use user namespace\n") if fails else (0, "")
        return CommandResult(argv=tuple(argv), code=code, stdout=stdout, stderr=stderr)

    return run


def test_docker_comes_first() -> None:
    found = detect(run=answers(docker=(0, "28.2.2\n", ""), podman=(0, "false v2\n", "")))
    assert isinstance(found.engine, ContainerEngine)
    assert (found.engine.name, found.rejected) == ("docker", ())


def test_podman_comes_next_with_what_it_cannot_do() -> None:
    found = detect(run=answers(docker=DOWN, podman=(0, "true v1\n", "")))
    assert isinstance(found.engine, ContainerEngine)
    assert (found.engine.name, found.engine.rootless, found.engine.limits_work) == ("podman", True, False)
    assert [rejection.name for rejection in found.rejected] == ["docker"]
    assert "daemon running" in found.rejected[0].reason


def test_process_comes_last_and_always() -> None:
    found = detect(run=answers(docker=DENIED, podman=NOT_THERE))
    assert isinstance(found.engine, ProcessEngine)
    assert found.engine.cut_network == ()
    assert "group `docker`" in found.rejected[0].hint
    assert "not installed" in found.rejected[1].reason


def test_apptainer_comes_after_podman_and_before_process() -> None:
    found = detect(run=apptainer_answers())
    assert isinstance(found.engine, ApptainerEngine)
    assert [rejection.name for rejection in found.rejected] == ["docker", "podman"]
    assert (found.engine.dialect.cut_network, found.engine.dialect.limits_work) == (True, True)
    assert found.engine.isolation == "container"


@pytest.mark.parametrize(
    ("refused", "cuts", "limits"), [(("--memory",), True, False), (("--memory", "--net"), False, False)]
)
def test_what_apptainer_may_not_do_here_is_found_out(
    refused: tuple[str, ...], cuts: bool, limits: bool
) -> None:
    found = detect("apptainer", run=apptainer_answers(refused=refused)).engine
    assert isinstance(found, ApptainerEngine)
    assert (found.dialect.cut_network, found.dialect.limits_work) == (cuts, limits)


def test_singularity_is_taken_where_there_is_no_apptainer() -> None:
    run = apptainer_answers(program="singularity", version="singularity-ce version 4.1.1-noble")
    found = detect("apptainer", run=run).engine
    assert isinstance(found, ApptainerEngine)
    assert (found.dialect.program, found.dialect.family) == ("singularity", "singularity")


@pytest.mark.parametrize(
    ("version", "refused", "reason", "hint"),
    [
        ("apptainer version 1.0.3", (), "apptainer version 1.0 is too old", "1.1 or newer"),
        ("singularity version 3.8.7", (), "singularity version 3.8 is too old", "3.10 or newer"),
        ("something else", (), "it gives no reason", "reinstall"),
        ("apptainer version 1.4.5", ("exec",), "could not use user namespace", "max_user_namespaces"),
    ],
)
def test_apptainer_that_does_not_work_is_told_why(
    version: str, refused: tuple[str, ...], reason: str, hint: str
) -> None:
    found = detect("apptainer", run=apptainer_answers(version=version, refused=refused))
    assert found.engine is None
    assert reason in found.rejected[0].reason
    assert hint in found.rejected[0].hint


def test_apptainer_that_is_not_installed() -> None:
    (rejection,) = detect("apptainer", run=answers()).rejected
    assert "installed" in rejection.reason
    assert "scripts/apptainer_up.sh" in rejection.hint


def test_network_is_cut_where_unshare_works() -> None:
    found = detect("process", run=answers(unshare=(0, "", "")))
    assert isinstance(found.engine, ProcessEngine)
    assert found.engine.cut_network[0] == "unshare"


def test_podman_under_dockers_name_is_not_docker() -> None:
    found = detect("docker", run=answers(docker=(125, "", "Error: unknown\n"), podman=(0, "true v2", "")))
    assert found.engine is None
    shim = detect("docker", run=answers(docker=(1, "podman version 4.3.1 (Podman Engine)", "")))
    assert "Podman" in shim.rejected[0].reason


def test_wanted_engine_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable) as error:
        detect_engine("docker")
    line = error.value.line()
    assert line.startswith(
        "VHB301: engine docker cannot be used: the program `docker` is not installed; hint: "
    )
    assert "\n" not in line


def test_doctor_names_each_trouble_with_a_remedy(tmp_path: Path) -> None:
    checks = {
        check.name: check for check in doctor_checks(workspace=tmp_path / "new", run=answers(docker=DENIED))
    }
    assert {
        "docker",
        "podman",
        "apptainer",
        "process",
        "cgroups",
        "gpus",
        "disk space",
        "python",
        "venv",
    } <= checks.keys()
    assert not checks["docker"].ok
    assert all(check.hint for check in checks.values() if not check.ok)
    assert checks["gpus"].detail == "none"


def test_doctor_lists_gpus() -> None:
    table = "0, GPU-1111, NVIDIA H100, 81559, 559, 550.54\n1, GPU-2222, NVIDIA H100, 81559, [N/A], 550.54\n"
    smi = (0, table, "")
    found = [
        check.detail for check in doctor_checks(run=answers(**{"nvidia-smi": smi})) if check.name == "gpus"
    ]
    assert found == [
        "0 GPU-1111 NVIDIA H100, 79.6 GiB, 79.1 GiB free; 1 GPU-2222 NVIDIA H100, 79.6 GiB "
        "(driver 550.54, nvidia-smi)"
    ]


def test_cgroup_kind(tmp_path: Path) -> None:
    assert cgroup_kind(tmp_path) == "none"
    (tmp_path / "memory").mkdir()
    assert cgroup_kind(tmp_path) == "v1"
    (tmp_path / "unified").mkdir()
    assert cgroup_kind(tmp_path) == "hybrid"
    (tmp_path / "cgroup.controllers").touch()
    assert cgroup_kind(tmp_path) == "v2"


def test_a_task_is_never_root() -> None:
    assert task_user(uid=0, gid=0) == "65534:65534"
    assert task_user(uid=1000, gid=100) == "1000:100"
