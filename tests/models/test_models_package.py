"""What is promised of the package as a whole: standard library only, Python 3.9, cards and locks in order."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import vlmhb_models
from serving import SOURCES
from vlmhb.cards.load import load_registry
from vlmhb.modelcard import ModelCard

PACKAGE = Path(vlmhb_models.__path__[0])
MODULES = sorted(PACKAGE.rglob("*.py"))
OWN = {"vlmhb_models", "vlmhb_stages"}
IMAGES = Path(__file__).parents[2] / "images"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_module_is_python_39_and_imports_nothing_foreign_at_its_top(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    for node in tree.body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            assert top in OWN or top in sys.stdlib_module_names, f"{path.name} imports {name}"
            assert top != "vlmhb_stages" or name == "vlmhb_stages.paths"  # the rest needs packages


def test_server_starts_under_the_oldest_python_it_promises() -> None:
    python = shutil.which("python3.9")
    if python is None or subprocess.run([python, "-V"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no python3.9 on this machine")
    code = f"import sys; sys.path[:0] = {SOURCES!r}; import vlmhb_models.serve, vlmhb_models.upstream"
    done = subprocess.run([python, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _cards() -> dict[str, ModelCard]:
    return {card.name: card for card in load_registry().models}


def test_cards_of_the_package_are_valid_and_complete() -> None:
    cards = _cards()
    assert {"rapidocr", "tesseract", "tesseract-eng", "openai-api", "replay"} <= set(cards)
    assert all(card.description for card in cards.values())


def test_ocr_engines_promise_ocr_only_and_no_network() -> None:
    for card in _cards().values():
        if card.interface in ("rapidocr", "tesseract"):
            assert (card.tasks, card.network, card.image) == (("ocr",), "none", card.interface)
        if card.interface == "openai":
            assert card.network == "egress"


@pytest.mark.parametrize("name", ["rapidocr", "tesseract"])
def test_lock_pins_every_package_with_hashes_and_names_no_registry(name: str) -> None:
    text = (IMAGES / name / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    entries = text.replace("\\\n", " ").splitlines()
    packages = [entry for entry in entries if entry and not entry.startswith("#")]
    assert len(packages) > 1
    for package in packages:
        assert re.match(r"[a-z0-9-]+==\S+ ", package), package
        assert "--hash=sha256:" in package, package


def test_rapidocr_image_never_reports_to_the_vendor_of_its_runtime() -> None:
    """Both stages: the first one imports the runtime while the image is built."""
    stages = (IMAGES / "rapidocr" / "Dockerfile").read_text(encoding="utf-8").split("FROM ${BASE_IMAGE}")[1:]
    assert all("ORT_DISABLE_TELEMETRY=1" in stage for stage in stages)


@pytest.mark.parametrize("name", ["rapidocr", "tesseract"])
def test_dockerfile_takes_its_base_from_outside_and_drops_root(name: str) -> None:
    lines = (IMAGES / name / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "ARG BASE_IMAGE=python:3.11-slim-bookworm" in lines
    assert lines[-1] == "USER 65534:65534"
    assert not any(line.startswith("# syntax=") for line in lines)
