"""The tiny VLM's files: documents come out the same each time, and what is committed is what was made."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "make_tiny_vlm.py"
RECEIPTS = ROOT / "user_configs" / "data" / "tiny_receipts"
MODELS = ROOT / "user_configs" / "models" / "tiny_vlm"
FIELDS = ("company", "date", "number", "total")


def make(folder: Path, *, seed: int = 7) -> dict[str, str]:
    """Hashes of all files that the tool makes."""
    argv = [sys.executable, str(TOOL), "documents", "--out", str(folder), "--seed", str(seed)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return hashes(folder)


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("receipts")
    make(folder)
    return folder


def test_the_same_seed_gives_the_same_files(made: Path, tmp_path: Path) -> None:
    assert make(tmp_path) == hashes(made)


def test_another_seed_gives_others(made: Path, tmp_path: Path) -> None:
    before = hashes(made)
    after = make(tmp_path, seed=8)
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())


def test_the_committed_questions_are_those_that_the_tool_makes(made: Path) -> None:
    """Of the pictures only the size: their pixels depend on the versions of fonts and Pillow."""
    assert (made / "samples.jsonl").read_bytes() == (RECEIPTS / "samples.jsonl").read_bytes()
    for row in rows(RECEIPTS):
        with Image.open(RECEIPTS / row["image"]) as image:
            assert image.size == (128, 128)


def test_every_receipt_is_asked_for_each_field() -> None:
    found = rows(RECEIPTS)
    assert [row["question"] for row in found] == [f"{field}?" for field in FIELDS] * 20
    assert len({row["id"] for row in found}) == len(found)


def test_the_committed_weights_are_those_that_were_trained() -> None:
    listed = dict(line.split("  ")[::-1] for line in (MODELS / "SHA256SUMS").read_text().splitlines())
    found = {name: digest for name, digest in hashes(MODELS).items() if "/" in name}
    assert found == listed


def test_the_checkpoints_are_small_and_one_is_better() -> None:
    facts = {name: json.loads((MODELS / name / "training.json").read_text()) for name in ("weak", "strong")}
    shares = {name: fact["right_on_unseen_receipts"] for name, fact in facts.items()}
    assert facts["weak"]["steps"] < facts["strong"]["steps"]
    assert all(fact["parameters"] < 1_000_000 for fact in facts.values())
    assert all(shares["weak"][field] < shares["strong"][field] for field in FIELDS)
    sizes = [sum(path.stat().st_size for path in (MODELS / name).iterdir()) for name in facts]
    assert max(sizes) < 2_000_000
    assert sum(path.stat().st_size for path in RECEIPTS.rglob("*") if path.is_file()) < 300_000


def test_everything_says_that_it_is_a_fixture() -> None:
    card = (ROOT / "model_interfaces" / "vlmhb_models" / "cards" / "tiny_vlm.yaml").read_text()
    assert card.count("Test fixture, not a model to compare") == 2
    for path in (MODELS / "README.md", RECEIPTS / "README.md"):
        assert "test fixture" in path.read_text()
    for name in ("weak", "strong"):
        assert json.loads((MODELS / name / "training.json").read_text())["note"].startswith("A test fixture")
