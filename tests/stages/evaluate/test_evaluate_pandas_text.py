"""The stand-in for pandas' type inference equals pandas on every golden column."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from vlmhb_stages.evaluate.pandas_text import read_column

GOLDEN = Path(__file__).parents[2] / "golden" / "metrics" / "pandas_columns.json"
COLUMNS = json.loads(GOLDEN.read_text(encoding="utf-8"))["columns"]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: "|".join(column["read"]))
def test_column(column: dict[str, list[str]]) -> None:
    found = read_column(column["read"])
    assert list(found.text) == column["text"]
    assert list(found.cells) == column["cells"]
