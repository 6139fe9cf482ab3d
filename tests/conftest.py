"""Shared fixtures: real engines.

A missing engine skips its tests on a laptop; `VLMHB_REQUIRE=docker,podman` makes it a failure, as in CI.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NoReturn

import pytest
from hypothesis import settings
from vlmhb.engines.apptainer import ApptainerEngine
from vlmhb.engines.container import ContainerEngine
from vlmhb.engines.detect import detect
from vlmhb.engines.doctor import cgroup_kind

pytest_plugins = ["e2e_fixtures"]

settings.register_profile(
    "shared", deadline=None
)  # machines are shared: how long an example takes says nothing
settings.load_profile("shared")

PODMAN_ON_HYBRID = '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    """A test that leaves another environment or folder behind fails itself, not whichever comes after it."""
    folder, environment = Path.cwd(), _environment()
    yield
    left = dict(environment.items() ^ _environment().items())
    assert not left, f"left in the environment: {left}"
    assert Path.cwd() == folder, f"left in the folder {Path.cwd()}"


def _environment() -> dict[str, str]:
    """What our programs read; libraries set names of their own when they are imported."""
    ours = ("VLMHB_", "HOME", "PATH", "PYTHONPATH", "CUDA_", "PIP_")
    return {name: value for name, value in os.environ.items() if name.startswith(ours)}


@pytest.fixture(scope="session")
def docker_engine() -> ContainerEngine:
    return usable("docker")


@pytest.fixture(scope="session")
def podman_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerEngine]:
    with pytest.MonkeyPatch.context() as patch:
        if cgroup_kind() == "hybrid" and "CONTAINERS_CONF" not in os.environ:
            conf = tmp_path_factory.mktemp("podman") / "containers.conf"
            conf.write_text(PODMAN_ON_HYBRID, encoding="utf-8")
            patch.setenv("CONTAINERS_CONF", str(conf))
        yield usable("podman")


def usable(name: Literal["docker", "podman"]) -> ContainerEngine:
    found = detect(name)
    if isinstance(found.engine, ContainerEngine):
        return found.engine
    return missing(name, found.rejected[0].reason)


@pytest.fixture(scope="session")
def apptainer_engine() -> ApptainerEngine:
    found = detect("apptainer")
    if isinstance(found.engine, ApptainerEngine):
        return found.engine
    return missing("apptainer", found.rejected[0].reason)


def missing(name: str, reason: str) -> NoReturn:
    if name in os.environ.get("VLMHB_REQUIRE", "").split(","):
        pytest.fail(f"{name} is required and cannot be used: {reason}")
    pytest.skip(f"{name} cannot be used: {reason}")
