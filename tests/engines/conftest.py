"""The bench on each container engine: one test body, run on Docker and on Podman."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_bench import LABEL, Bench
from tools_image import tools_image
from vlmhb.engines.base import ImageSpec


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("podman", marks=pytest.mark.podman),
    ]
)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    engine = request.getfixturevalue(f"{request.param}_engine")
    ref = tools_image(engine)
    image = ImageSpec(name="tools", ref=ref, identity=engine.image_id(ref))
    found = Bench(engine=engine, image=image, folder=tmp_path)
    yield found
    engine.cleanup(labels={LABEL: found.run_label})
