"""A fresh `/vlmhb` folder per test."""

from pathlib import Path

import pytest
from infer_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
