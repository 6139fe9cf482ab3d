"""Two checkpoints of one real VLM, from weights to a ranking: the tiny VLM in the environment of `transformers`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e_fixtures import ENVS_WORKSPACE, ROOT, build

EXAMPLE = ROOT / "user_configs" / "examples" / "tiny_vlm.csv"
WEAK, STRONG = "tiny_receipts-tiny-vlm-weak", "tiny_receipts-tiny-vlm-strong"
QUESTIONS = 80


@pytest.fixture(scope="module")
def envs() -> Path:
    """PyTorch's CPU wheel is not on PyPI: a machine whose pip cannot find it skips, unless it is required."""
    build("process", ENVS_WORKSPACE)
    try:
        build("process", ENVS_WORKSPACE, images=("transformers",))
    except AssertionError as error:
        if "transformers" in os.environ.get("VLMHB_REQUIRE", "").split(","):
            raise
        pytest.skip(f"the environment transformers cannot be built: {error}")
    return ENVS_WORKSPACE / "envs"


@pytest.fixture(scope="module")
def workspace(envs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny_vlm")
    (folder / "envs").symlink_to(envs)
    return folder


def run(workspace: Path) -> dict[str, Any]:
    argv = [sys.executable, "-m", "vlmhb", "run", str(EXAMPLE), "-w", str(workspace), "--engine", "process"]
    done = subprocess.run([*argv, "--json"], capture_output=True, text=True, check=False, cwd=workspace)
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return value


def out(summary: dict[str, Any], evaluation: str, stage: str) -> Path:
    return Path(summary["run_dir"]) / "evaluations" / evaluation / stage / "out"


def predictions(summary: dict[str, Any], evaluation: str) -> list[dict[str, Any]]:
    lines = (out(summary, evaluation, "infer") / "predictions.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def summary(workspace: Path) -> dict[str, Any]:
    return run(workspace)


def test_every_question_is_answered(summary: dict[str, Any]) -> None:
    counts = {item["id"]: item["counts"] for item in summary["evaluations"]}
    assert counts == {
        name: {"planned": QUESTIONS, "ok": QUESTIONS, "error": 0, "skipped": 0} for name in (WEAK, STRONG)
    }


def test_more_training_ranks_higher(summary: dict[str, Any]) -> None:
    found = json.loads((Path(summary["run_dir"]) / "report" / "report.json").read_text())
    scores = {
        item["id"]: next(metric for metric in item["metrics"] if metric["name"] == "exact_match")
        for item in found["evaluations"]
    }
    assert 0.5 <= scores[WEAK]["value"] < scores[STRONG]["value"]
    assert scores[WEAK]["ci_high"] < scores[STRONG]["value"]


def test_tokens_and_times_are_measured(summary: dict[str, Any]) -> None:
    for record in predictions(summary, STRONG):
        assert record["finish_reason"] == "stop"
        assert record["image_tokens"] == 16
        assert record["output_tokens"] == len(record["text"]) + 1  # a token per character, and the end
    timed = [record for record in predictions(summary, STRONG) if record["ttft_s"] is not None]
    # On a busy machine an answer may arrive all at once: it has no first token.
    assert len(timed) >= QUESTIONS / 4
    assert all(0 < record["ttft_s"] < record["latency_s"] for record in timed)


def test_the_same_run_again_loads_no_model(summary: dict[str, Any], workspace: Path) -> None:
    before = {name: predictions(summary, name) for name in (WEAK, STRONG)}
    again = run(workspace)
    assert {name: predictions(again, name) for name in (WEAK, STRONG)} == before
    manifest = Path(again["run_dir"]) / "evaluations" / STRONG / "infer" / "manifest.json"
    first = Path(summary["run_dir"]) / "evaluations" / STRONG / "infer" / "manifest.json"
    assert manifest.read_bytes() == first.read_bytes()
