"""One bench per test."""

from __future__ import annotations

from pathlib import Path

import pytest
from prepare_bench import Bench, Prepared

__all__ = ["Bench", "Prepared"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
