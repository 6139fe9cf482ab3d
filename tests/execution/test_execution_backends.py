"""Metric backends end to end: two metrics with packages that clash, in one evaluation, each in its own environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from backend_world import OWN, make_backends
from e2e_world import World

EVALUATION = {
    "dataset": "pages",
    "model_name": "page-model",
    "metrics": ["exact_match", "clash_one", "clash_two", "own.py:halves"],
}

PROBE = """\
import os, socket

def score(prediction, references):
    interfaces = [name for _, name in socket.if_nameindex()]
    writable = [path for path in ("/vlmhb/in/metrics/no_network", "/vlmhb/in/labels", "/") if os.access(path, os.W_OK)]
    return float(interfaces == ["lo"] and not writable)
"""


@pytest.fixture
def world(process_world: World) -> World:
    process_world.make(pages=3, questions={1: "RAISE"})
    (process_world.root / "own.py").write_text(OWN)
    make_backends(process_world)
    process_world.config(EVALUATION)
    return process_world


def values(world: World, summary: dict[str, Any]) -> dict[str, float]:
    return {item["name"]: item["value"] for item in world.metrics(summary)["metrics"]}


def decisions(world: World) -> dict[str, str]:
    stages = json.loads(world.call("--json", command="plan").stdout)["evaluations"][0]["stages"]
    return {" ".join(filter(None, (item["stage"], item["part"]))): item["decision"] for item in stages}


def test_clashing_metrics_in_one_evaluation(world: World) -> None:
    assert list(decisions(world)) == [
        "prepare",
        "infer",
        "score backend-one",
        "score backend-two",
        "evaluate",
    ]
    done = world.run(expect=4)  # one sample has failed
    found = values(world, done)
    assert found == pytest.approx(
        {"exact_match": 2 / 3, "clash_one": 2 / 3, "clash_two": 4 / 3, "halves": 1 / 3}
    )
    lines = [json.loads(line) for line in world.scores(done).splitlines()]
    assert [line["scores"]["clash_two"] for line in lines] == [2.0, None, 2.0]
    folder = Path(done["run_dir"]) / "evaluations" / "pages-page-model"
    assert sorted(path.name for path in folder.iterdir()) == [
        "evaluate",
        "infer",
        "prepare",
        "score-backend-one",
        "score-backend-two",
    ]
    backend = json.loads((folder / "score-backend-one" / "manifest.json").read_text())["manifest"]
    assert (backend["stage"], backend["network"]) == ("score", "none")

    again = world.run(expect=4)
    assert world.stage(again, "evaluate") == world.stage(done, "evaluate")


def test_a_changed_metric_runs_its_backend_alone(world: World) -> None:
    world.make_pages(3)  # no sample fails now
    first = world.run()
    assert set(decisions(world).values()) == {"reuse"}
    code = world.root / "metrics" / "score_two.py"
    code.write_text(code.read_text().replace("else 0.0", "else -1.0"))
    planned = decisions(world)
    assert (planned["score backend-one"], planned["score backend-two"]) == ("reuse", "run")
    stage = world.plan()["pages-page-model", "score"]
    assert stage["part"] == "backend-two"
    assert "metric_versions.clash_two" in stage["reason"]
    second = world.run()
    assert world.stage(second, "score-backend-one") == world.stage(first, "score-backend-one")
    assert world.stage(second, "evaluate") == world.stage(first, "evaluate")  # the scores are the same


def test_a_broken_metric_fails_its_evaluation_in_one_line(world: World) -> None:
    (world.root / "metrics" / "score_two.py").write_text(
        "import nowhere\n\ndef score(p, r):\n    return 1.0\n"
    )
    done = world.run(expect=4)
    (evaluation,) = done["evaluations"]
    assert evaluation["status"] == "failed"
    assert "score of page-model×pages backend-two" in evaluation["failure"]["message"]
    assert "nowhere" in evaluation["failure"]["message"]


def test_an_environment_that_is_not_built_is_told_before_anything_starts(world: World) -> None:
    card = world.root / "cards" / "images" / "backend-two" / "requirements.lock"
    card.write_text("clashing==3\n")
    failed = world.call()
    assert failed.returncode == 3
    assert "vlmhb images build backend-two --engine process" in failed.stderr
    assert not (world.workspace / "artifacts").exists() or not list((world.workspace / "artifacts").iterdir())


@pytest.mark.docker
def test_a_backend_in_a_container_of_its_own(docker_world: World) -> None:
    """The image of the stages stands for one with other packages; isolation and mounts are the same."""
    world = docker_world
    world.make(pages=2)
    (world.root / "metrics").mkdir()
    (world.root / "metrics" / "inner.py").write_text(PROBE)
    (world.root / "cards" / "metrics").mkdir()
    card = {"name": "no_network", "class_path": "inner:score", "path": "../../metrics", "image": "stages"}
    (world.root / "cards" / "metrics" / "m.yaml").write_text(json.dumps(card))
    world.config({**EVALUATION, "metrics": ["cer", "no_network"]})
    assert values(world, world.run()) == {"cer": 0.0, "no_network": 1.0}
