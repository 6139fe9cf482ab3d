"""The quickstart with its real OCR models: each in an environment of its own, also with no network at all."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e_fixtures import ENVS_WORKSPACE, ROOT, build

QUICKSTART = ROOT / "user_configs" / "quickstart.csv"
NO_NETWORK = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]


@pytest.fixture(scope="module")
def ocr_envs() -> Path:
    build("process", ENVS_WORKSPACE, images=("stages", "rapidocr", "tesseract"))
    return ENVS_WORKSPACE / "envs"


def run(workspace: Path, *, engine: str, prefix: list[str]) -> dict[str, Any]:
    """The run's summary; at most two pages a model."""
    argv = [sys.executable, "-m", "vlmhb", "run", str(QUICKSTART), "--engine", engine, "-w", str(workspace)]
    done = subprocess.run(
        [*prefix, *argv, "--limit", "2", "--json"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


def check(summary: dict[str, Any], *, isolation: str) -> None:
    report = json.loads((Path(summary["run_dir"]) / "report" / "report.json").read_text())
    evaluations = {item["model"]: item for item in report["evaluations"]}
    assert set(evaluations) == {"rapidocr", "tesseract-eng"}
    digests = {item["provenance"]["image_digest"] for item in evaluations.values()}
    assert len(digests) == 2
    for item in evaluations.values():
        assert (item["isolation"], item["network"]) == (isolation, "none")
        assert item["coverage"] == 1.0
        metrics = {metric["name"]: metric["value"] for metric in item["metrics"]}
        assert metrics["cer_norm"] < 0.1, item["model"]  # two clean English pages


def test_r5_the_quickstart_needs_no_network_after_set_up(ocr_envs: Path, tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run([*NO_NETWORK, "true"], check=False).returncode != 0:
        pytest.skip("this machine does not let us take the network away (unshare --net)")
    (tmp_path / "envs").symlink_to(ocr_envs)
    check(run(tmp_path, engine="process", prefix=NO_NETWORK), isolation="venv")


@pytest.mark.docker
def test_b10_two_models_that_cannot_share_an_environment_run_side_by_side(
    docker_engine: object, tmp_path: Path
) -> None:
    build("docker", ENVS_WORKSPACE, images=("stages", "rapidocr", "tesseract"))
    check(run(tmp_path, engine="docker", prefix=[]), isolation="container")
