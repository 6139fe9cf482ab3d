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


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    if request.param == "docker":
        request.getfixturevalue("docker_images")
        return World(root=tmp_path, engine="docker", envs=None)
    return World(root=tmp_path, engine="process", envs=request.getfixturevalue("process_envs"))


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
