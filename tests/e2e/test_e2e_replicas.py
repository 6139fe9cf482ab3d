"""Copies of a model server share the work; each is replaced on its own, and one that never starts costs nothing."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from e2e_world import World

MODEL = """
import hashlib, os, time
from vlmhb_models.base import Generation, ModelInterface

class Copy(ModelInterface):
    def load(self, *, params, weights):
        self.number = os.path.basename(os.path.realpath(os.environ["VLMHB_ROOT"] + "/sock"))
        if self.number in params.get("dead", ()):
            os._exit(41)
        with open(params["pids"], "a") as file:
            print(self.number, os.getpid(), file=file)

    def generate(self, batch):
        time.sleep(0.1)
        return [Generation(text=self.number, input_tokens=1, output_tokens=1) for _ in batch]
"""


def make(world: World, *, pages: int, copies: int, **params: Any) -> Path:
    world.make(pages=pages)
    pids = world.root / "pids"
    (world.root / "model" / "page_model.py").write_text(MODEL)
    world.make_cards({"page-model": {"pids": str(pids), **params}}, class_path="page_model:Copy")
    world.config({"dataset": "pages", "model_name": "page-model", "replicas": copies, "concurrency": 1})
    return pids


def extra(world: World, summary: dict[str, Any]) -> dict[str, Any]:
    text = (world.stage(summary, "infer") / "manifest.json").read_text()
    found: dict[str, Any] = json.loads(text)["manifest"]["extra"]
    return found


def test_a_killed_copy_is_replaced_and_no_sample_is_lost(process_world: World) -> None:
    pids = make(process_world, pages=40, copies=2)
    run = process_world.popen("--json")
    deadline = time.monotonic() + 60
    while not pids.exists() or len(pids.read_text().split()) < 4:
        assert time.monotonic() < deadline, "the copies did not start"
        time.sleep(0.05)
    started = dict(line.split() for line in pids.read_text().splitlines())
    os.kill(int(started["1"]), signal.SIGKILL)
    stdout, stderr = run.communicate(timeout=120)
    assert run.returncode == 0, stderr
    summary = json.loads(stdout.splitlines()[-1])
    answers = process_world.predictions(summary)
    assert {record["status"] for record in answers} == {"ok"}
    assert len({record["sample_id"] for record in answers}) == 40
    assert {record["text"] for record in answers} == {"0", "1"}
    found = extra(process_world, summary)
    assert found["server_restarts"] == 1
    assert "server 1: the model server died 1 time(s): exit code 137" in found["warnings"]


def test_a_copy_that_never_starts_leaves_the_work_to_the_others(process_world: World) -> None:
    make(process_world, pages=6, copies=3, dead=["1"])
    summary = process_world.run()
    answers = process_world.predictions(summary)
    assert {record["status"] for record in answers} == {"ok"}
    assert "1" not in {record["text"] for record in answers}
