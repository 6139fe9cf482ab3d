"""The examples of the guide: every one can be planned, and those that need no URL run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e_fixtures import ENVS_WORKSPACE, ROOT, build

EXAMPLES = ROOT / "user_configs" / "examples"
EVALUATIONS = {
    "answers.yaml": ["own_documents-replay"],
    "api.yaml": ["own_documents-lab-vlm"],
    "budget.yaml": ["own_documents-lab-vlm"],
    "matrix.yaml": [
        "own_pages-rapidocr",
        "demo_pages-rapidocr",
        "own_pages-tesseract-eng",
        "demo_pages-tesseract-eng",
    ],
    "own_documents.csv": [
        "own_documents-label-reader",
        "receipts_annotation-label-reader",
        "receipts_tsv-label-reader",
    ],
    "closed_model.csv": ["own_documents-closed-model", "own_documents-closed-model-shell"],
    "prompts.yaml": ["own_documents-lab-vlm", "own_documents-label-reader"],
    "own_model.csv": ["own_documents-label-reader", "own_documents-prototype-reader"],
    "receipts_kie.csv": ["docs_mini_kie-receipt-rules"],
}


@pytest.fixture(scope="module")
def ocr_envs() -> Path:
    build("process", ENVS_WORKSPACE, images=("stages", "rapidocr", "tesseract"))
    return ENVS_WORKSPACE / "envs"


@pytest.fixture
def workspace(ocr_envs: Path, tmp_path: Path) -> Path:
    (tmp_path / "envs").symlink_to(ocr_envs)
    return tmp_path


def vlmhb(command: str, example: str, *, workspace: Path) -> dict[str, Any]:
    """The JSON that the command prints; it runs in a folder from which no relative path of the examples leads."""
    argv = [sys.executable, "-m", "vlmhb", command, str(EXAMPLES / example), "-w", str(workspace)]
    done = subprocess.run(
        [*argv, "--engine", "process", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=workspace,
    )
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return value


def test_every_example_is_known_here() -> None:
    found = {path.name for ending in ("csv", "yaml") for path in EXAMPLES.glob(f"*.{ending}")}
    elsewhere = {"tiny_vlm.csv"}  # tests/e2e/test_e2e_tiny_vlm.py
    assert found == {*EVALUATIONS, "answers.csv", "prices.yaml", *elsewhere}


@pytest.mark.parametrize("example", EVALUATIONS)
def test_an_example_can_be_planned(example: str, workspace: Path) -> None:
    planned = vlmhb("plan", example, workspace=workspace)
    assert [item["id"] for item in planned["evaluations"]] == EVALUATIONS[example]


def test_the_three_formats_give_the_same_answers(workspace: Path) -> None:
    summary = vlmhb("run", "own_documents.csv", workspace=workspace)
    assert values(summary, metric="anls") == [1.0, 1.0, 1.0]


def test_closed_programs_answer_like_each_other(workspace: Path) -> None:
    """Python and shell: each says the size of the image file."""
    summary = vlmhb("run", "closed_model.csv", workspace=workspace)
    assert [item["counts"]["ok"] for item in summary["evaluations"]] == [4, 4]
    folders = [Path(summary["run_dir"]) / "evaluations" / item["id"] for item in summary["evaluations"]]
    told = [texts(folder) for folder in folders]
    assert told[0] == told[1] and all(text.isdigit() for text in told[0].values())


def test_a_tolerated_loss_is_counted_as_wrong(workspace: Path) -> None:
    summary = vlmhb("run", "answers.yaml", workspace=workspace)
    assert summary["evaluations"][0]["counts"] == {"planned": 4, "ok": 3, "error": 1, "skipped": 0}
    assert values(summary, metric="exact_match") == [0.75]


def texts(folder: Path) -> dict[str, str]:
    path = folder / "infer" / "out" / "predictions.jsonl"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {record["sample_id"]: record["text"] for record in records}


def values(summary: dict[str, Any], *, metric: str) -> list[float]:
    report = json.loads((Path(summary["run_dir"]) / "report" / "report.json").read_text(encoding="utf-8"))
    return [
        found["value"]
        for item in report["evaluations"]
        for found in item["metrics"]
        if found["name"] == metric
    ]
