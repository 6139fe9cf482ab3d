"""GPUs in containers: a real Docker engine that accepts `--gpus`, and a model that proves them inside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_world import World
from gpu_docker import GpuDocker, gpu_docker, why_not
from gpu_standin import Pretended, Standin, compile_standin

pytestmark = pytest.mark.docker
STAGES = "vlmhb/stages:0.2.0"
SERVED = "localhost/vlmhb-test/gpu-stages:1"
SEES = "import os; result = os.environ['NVIDIA_VISIBLE_DEVICES']"
GPUS = (Pretended(uuid="GPU-aaaa"), Pretended(uuid="GPU-bbbb"))


@pytest.fixture(scope="module")
def engine(
    docker_images: None, built_standin: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GpuDocker]:
    if reason := why_not():
        pytest.skip(reason)
    inside = compile_standin(tmp_path_factory.mktemp("inside"))
    inside.set(GPUS[0])  # a container with one GPU sees one
    with gpu_docker() as found:
        found.take(STAGES)
        found.with_driver(STAGES, inside, tag=SERVED)
        yield found


@pytest.fixture
def world(engine: GpuDocker, standin: Standin, tmp_path: Path) -> World:
    standin.set(*GPUS)
    found = World(root=tmp_path, engine="docker", envs=None, env={**standin.env, **engine.env})
    found.make(pages=2)
    found.make_cards({"page-model": {"probe": SEES, "delay_s": 0.5}}, gpus=1, image=SERVED)
    return found


def extra(world: World, summary: dict[str, Any]) -> dict[str, Any]:
    path = world.stage(summary, "infer") / "manifest.json"
    found: dict[str, Any] = json.loads(path.read_text())["manifest"]["extra"]
    return found


def test_exactly_the_leased_gpu_is_asked_of_the_engine_and_proved_inside(world: World) -> None:
    world.config({"dataset": "pages", "model_name": "page-model", "gpus": ["1"]})
    summary = world.run("--sample-hz", "10")
    assert {record["text"] for record in world.predictions(summary)} == {"GPU-bbbb"}
    found = extra(world, summary)
    assert found["gpus"] == ["GPU-bbbb"]
    used = found["resources"]
    assert set(used["containers"]) == {"infer", "server-0"}
    server = used["containers"]["server-0"]  # from its cgroup
    assert server["cpu_s"] > 0 and server["peak_rss_mib"] > 5
    assert used["gpus"]["GPU-bbbb"]["energy_j"] > 0


def test_a_second_gpu_that_is_not_inside_stops_the_model(world: World) -> None:
    """The engine took the request and gave one device: the container looks itself, and says so."""
    world.make_cards({"page-model": {"probe": SEES}}, gpus=2, image=SERVED)
    (failed,) = world.run(expect=4)["evaluations"]
    assert "sees 1 of 2 GPUs" in failed["failure"]["message"]
