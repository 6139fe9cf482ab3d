"""B12, V2, L1: kill -9 of the orchestrator at each stage boundary and half-way through the requests.

Kills of the driver and the model server at random samples are in tests/e2e/test_e2e_kill.py."""

import os
import signal
import threading
from pathlib import Path

import pytest
from e2e_api import Api
from e2e_kill import answered, kill_part, wait_for
from e2e_world import World
from test_acceptance_reuse import api_card

STAGES = ("prepare", "infer", "evaluate", "report")


def manifests(world: World) -> dict[str, int]:
    """Modification times of the manifests, by stage and fingerprint."""
    found = sorted((world.workspace / "artifacts").glob("*/*/manifest.json"))
    return {f"{path.parts[-3]}/{path.parts[-2]}": path.stat().st_mtime_ns for path in found}


def outputs(world: World) -> dict[str, bytes]:
    """What must be the same however often a run was interrupted (no times in it)."""
    names = ("samples.jsonl", "labels.jsonl", "scores.jsonl", "metrics.json")
    found = sorted(path for path in (world.workspace / "artifacts").rglob("out/**/*") if path.name in names)
    return {path.name: path.read_bytes() for path in found}


@pytest.mark.parametrize("stage", STAGES)
def test_killed_after_a_stage_the_sealed_ones_stay(process_world: World, tmp_path: Path, stage: str) -> None:
    world = process_world
    world.make(pages=4)
    process = world.popen()
    sealed = world.workspace / "artifacts" / stage
    assert wait_for(lambda: any(sealed.glob("*/manifest.json")) or process.poll() is not None)
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    before = manifests(world)
    assert any(name.startswith(stage) for name in before)
    world.run()
    after = manifests(world)
    assert {name: after[name] for name in before} == before
    assert {name.partition("/")[0] for name in after} == set(STAGES)

    undisturbed = World(root=tmp_path / "undisturbed", engine="process", envs=world.envs)
    undisturbed.root.mkdir()
    undisturbed.make(pages=4)
    undisturbed.run()
    assert outputs(world) == outputs(undisturbed)


def test_v2_half_way_through_only_requests_in_flight_are_sent_again(process_world: World, api: Api) -> None:
    world, in_flight = process_world, 2
    world.make(pages=20)
    api_card(world, api, concurrency=in_flight)
    asked = threading.Semaphore(
        10
    )  # the server answers ten questions, then holds the rest back until the kill
    api.behave = lambda question: None if asked.acquire(timeout=30) else (500, {}, {})
    process = world.popen()
    assert wait_for(lambda: answered(world) == 10 and len(api.requests) == 10 + in_flight)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert wait_for(lambda: not kill_part(world, "driver"))  # what was left of the dead run
    asked.release(1000)
    summary = world.run()
    assert summary["evaluations"][0]["counts"]["ok"] == 20
    assert len(api.requests) <= 20 + in_flight
    assert [item["text"] for item in world.predictions(summary)] == [
        line["answer"] for line in world.samples()
    ]
