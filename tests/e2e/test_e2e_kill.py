"""kill -9 of orchestrator, driver and model server at random samples: 30 kills per engine, and nothing is lost,
doubled or different."""

import os
import random
import signal
import subprocess

import pytest
from e2e_kill import answered, kill_part, wait_for
from e2e_world import World

PAGES = 30
KILLS = 30
KILLS_PER_EPISODE = 6


def finished(process: subprocess.Popen[str]) -> bool:
    return process.poll() is not None


def disturb(world: World, *, part: str, at: int) -> bool:
    """Start a run, kill `part` once `at` answers are in the journal, and wait for the run's end. True when killed."""
    process = world.popen("--json")
    killed = False
    if wait_for(lambda: finished(process) or answered(world) >= at) and not finished(process):
        if part == "orchestrator":
            os.kill(process.pid, signal.SIGKILL)
            killed = True
        else:
            killed = kill_part(world, part)
    _, stderr = process.communicate(timeout=120)
    assert "Traceback" not in stderr, stderr
    return killed


@pytest.mark.timeout(900)
def test_thirty_kills_at_random_samples(world: World) -> None:
    world.make(pages=PAGES, delay_s=0.03)
    undisturbed = world.run()
    expected_scores = world.scores(undisturbed)
    expected_ids = [item["sample_id"] for item in world.predictions(undisturbed)]
    dice = random.Random(f"kill {world.engine}")
    parts: dict[str, int] = {"orchestrator": 0, "driver": 0, "server": 0}
    episode = 0
    while sum(parts.values()) < KILLS:
        # another model parameter is another identity: every episode starts from nothing
        episode += 1
        assert episode <= KILLS, parts
        world.make_cards({"page-model": {"delay_s": 0.03, "episode": episode}})
        before = answered(world)
        for _ in range(KILLS_PER_EPISODE):
            done = answered(world) - before
            if done >= PAGES - 1:
                break
            part = min(parts, key=lambda name: (parts[name], name))
            at = before + dice.randint(done, min(done + 8, PAGES - 1))
            parts[part] += disturb(world, part=part, at=at)
        summary = world.run()
        predictions = world.predictions(summary)
        assert [item["sample_id"] for item in predictions] == expected_ids
        assert {item["status"] for item in predictions} == {"ok"}
        assert world.scores(summary) == expected_scores
    assert min(parts.values()) >= KILLS // 3 - 1, parts
