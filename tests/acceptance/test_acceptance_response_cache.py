"""Answers outlive their artifacts and interrupted runs, and cross workspaces; never the ones that could differ."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from typing import Any

from e2e_api import Api
from e2e_kill import answered, wait_for
from e2e_world import World
from test_acceptance_reuse import api_card


def origins(world: World, summary: dict[str, Any]) -> set[str]:
    return {str(record["imported_from"]).partition(":")[0] for record in world.predictions(summary)}


def test_answers_outlive_a_deleted_artifact_unless_fresh_ones_are_wanted(
    process_world: World, api: Api
) -> None:
    world = process_world
    world.make(pages=4)
    api_card(world, api)
    first = world.run()
    infer = world.workspace / "artifacts/infer"
    shutil.rmtree(infer)
    done = world.call("--json")
    assert done.returncode == 0 and len(api.requests) == 4
    assert "4 answers came from the response cache" in done.stderr
    again = world.run()
    assert origins(world, again) == {"cache"} and world.scores(again) == world.scores(first)

    shutil.rmtree(infer)
    world.config({"dataset": "pages", "model_name": "page-model", "fresh": True})
    fresh = world.run()
    assert len(api.requests) == 8 and origins(world, fresh) == {"None"}


def test_answers_of_an_interrupted_run_serve_another_workspace(process_world: World, api: Api) -> None:
    world = process_world
    world.make(pages=12)
    api_card(world, api, concurrency=1)
    world.env["VLMHB_RESPONSE_CACHE"] = str(world.root / "shared")
    allowed = threading.Semaphore(5)
    api.behave = lambda question: None if allowed.acquire(timeout=30) else (500, {}, {})
    process = world.popen()
    assert wait_for(lambda: answered(world) >= 5)
    os.kill(process.pid, signal.SIGTERM)
    allowed.release(1000)
    process.communicate(timeout=60)
    assert process.returncode == 130
    asked = len(api.requests)
    assert 5 <= asked <= 7
    shutil.rmtree(world.workspace / "artifacts")
    summary = world.run()
    assert len(api.requests) == 12 and origins(world, summary) == {"cache", "None"}


def test_answers_that_are_drawn_are_never_shared(process_world: World, api: Api) -> None:
    world = process_world
    world.make(pages=2)
    api_card(world, api)
    world.config({"dataset": "pages", "model_name": "page-model", "temperature": 0.7})
    world.run()
    assert not list(world.workspace.glob("cache/responses/*.jsonl"))
    shutil.rmtree(world.workspace / "artifacts/infer")
    world.run()
    assert len(api.requests) == 4
