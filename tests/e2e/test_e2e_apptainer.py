"""The same run under Apptainer gives the same bytes as without any container engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e_world import World


@pytest.mark.apptainer
def test_apptainer_and_process_give_the_same_bytes(
    tmp_path: Path, process_envs: Path, apptainer_images: Path
) -> None:
    places = {"process": {"envs": process_envs}, "apptainer": {"envs": None, "images": apptainer_images}}
    found = []
    for engine, place in places.items():
        root = tmp_path / engine
        root.mkdir()
        world = World(root=root, engine=engine, **place)
        world.make(pages=3, questions={1: "RAISE"})
        summary = world.run(expect=4)  # one page cannot be answered, on either
        out = world.stage(summary, "evaluate") / "out"
        found.append([(out / name).read_bytes() for name in ("scores.jsonl", "metrics.json")])
        sealed = json.loads((out.parent / "manifest.json").read_text())["manifest"]
        assert sealed["isolation"] == ("container" if engine == "apptainer" else "venv")
    assert found[0] == found[1]
