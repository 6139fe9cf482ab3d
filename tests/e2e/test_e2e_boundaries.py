"""B12: kill -9 of the orchestrator at each stage boundary; only what was not sealed runs again."""

import os
import signal
from pathlib import Path

import pytest
from e2e_kill import wait_for
from e2e_world import World

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
