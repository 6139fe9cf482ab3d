"""Fixtures: worlds on each engine, and an API that misbehaves.

Environments for `process` are built once and shared by all tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_api import Api
from e2e_world import World

PROCESS = "process"
DOCKER = pytest.param("docker", marks=pytest.mark.docker)
PODMAN = pytest.param("podman", marks=pytest.mark.podman)
APPTAINER = pytest.param("apptainer", marks=pytest.mark.apptainer)
ROOT = Path(__file__).resolve().parents[2]
ENVS_WORKSPACE = Path(os.environ.get("VLMHB_TEST_ENVS", ROOT / ".test-envs"))


def build(engine: str, workspace: Path, *, images: tuple[str, ...] = ("stages",)) -> None:
    argv = [sys.executable, "-m", "vlmhb", "images", "build", *images, "--engine", engine]
    done = subprocess.run([*argv, "--workspace", str(workspace)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def process_envs() -> Path:
    build("process", ENVS_WORKSPACE)
    return ENVS_WORKSPACE / "envs"


@pytest.fixture(scope="session")
def docker_images(docker_engine: object) -> None:
    build("docker", ENVS_WORKSPACE)


@pytest.fixture(scope="session")
def podman_images(podman_engine: object) -> None:
    """Podman has a store of its own, so it may be usable and yet have no base image to build on."""
    try:
        build("podman", ENVS_WORKSPACE)
    except AssertionError as error:
        if "podman" in os.environ.get("VLMHB_REQUIRE", "").split(","):
            raise
        pytest.skip(f"podman has no images and they cannot be built: {error}")


@pytest.fixture(scope="session")
def apptainer_images(apptainer_engine: object) -> Path:
    """Converted once, and again whenever Docker's image is another one."""
    try:
        build("apptainer", ENVS_WORKSPACE)
    except AssertionError as error:
        if "apptainer" in os.environ.get("VLMHB_REQUIRE", "").split(","):
            raise
        pytest.skip(f"there are no images for apptainer and they cannot be built: {error}")
    return ENVS_WORKSPACE / "images"


def make_world(request: pytest.FixtureRequest, root: Path) -> World:
    """A world on the engine that the fixture's parameter names; skips where that engine cannot be used."""
    if request.param == "process":
        return World(root=root, engine="process", envs=request.getfixturevalue("process_envs"))
    images = request.getfixturevalue(f"{request.param}_images")
    return World(root=root, engine=request.param, envs=None, images=images)


@pytest.fixture(params=[PROCESS, DOCKER])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(request, tmp_path)


@pytest.fixture(params=[PROCESS, DOCKER, PODMAN, APPTAINER])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """On every engine: for what each of them must be seen to do."""
    return make_world(request, tmp_path)


@pytest.fixture(params=[DOCKER, PODMAN, APPTAINER], scope="module")
def container_world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One per engine and module: what is looked at from several sides runs once."""
    return make_world(request, tmp_path_factory.mktemp(str(request.param)))


@pytest.fixture
def process_world(tmp_path: Path, process_envs: Path) -> World:
    return World(root=tmp_path, engine="process", envs=process_envs)


@pytest.fixture
def docker_world(tmp_path: Path, docker_images: None) -> World:
    return World(root=tmp_path, engine="docker", envs=None)


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as server:
        yield server
