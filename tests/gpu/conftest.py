"""Fixtures: pretended GPUs. Without gcc their tests are skipped; `VLMHB_REQUIRE=gcc` makes that a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from gpu_standin import Standin, compile_standin, has_compiler


@pytest.fixture(scope="session")
def built_standin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not has_compiler():
        pytest.skip("no gcc: the stand-in for NVML cannot be compiled")
    return compile_standin(tmp_path_factory.mktemp("nvml")).library


@pytest.fixture
def standin(built_standin: Path, tmp_path: Path) -> Standin:
    """A folder of its own for each test; no devices yet."""
    folder = tmp_path / "nvml"
    folder.mkdir()
    (folder / built_standin.name).symlink_to(built_standin)
    found = Standin(folder)
    found.set()
    return found
