"""The bench on each container engine: one test body, run on Docker, Podman and Apptainer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_bench import LABEL, Bench
from tools_image import tools_folder, tools_image
from vlmhb.engines.apptainer import ApptainerEngine
from vlmhb.engines.base import ImageSpec


@pytest.fixture(scope="session")
def apptainer_tools(apptainer_engine: ApptainerEngine, tmp_path_factory: pytest.TempPathFactory) -> ImageSpec:
    return tools_folder(apptainer_engine.dialect.program, where=tmp_path_factory.mktemp("tools"))


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("podman", marks=pytest.mark.podman),
        pytest.param("apptainer", marks=pytest.mark.apptainer),
    ]
)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    yield from _bench(request, tmp_path)


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("podman", marks=pytest.mark.podman),
    ]
)
def daemon_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """For what only engines have whose containers outlive their clients."""
    yield from _bench(request, tmp_path)


@pytest.fixture(params=[pytest.param("apptainer", marks=pytest.mark.apptainer)])
def apptainer_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    yield from _bench(request, tmp_path)


def _bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    engine = request.getfixturevalue(f"{request.param}_engine")
    if isinstance(engine, ApptainerEngine):
        image = request.getfixturevalue("apptainer_tools")
    else:
        ref = tools_image(engine)
        image = ImageSpec(name="tools", ref=ref, identity=engine.image_id(ref))
    found = Bench(engine=engine, image=image, folder=tmp_path)
    yield found
    engine.cleanup(labels={LABEL: found.run_label})
