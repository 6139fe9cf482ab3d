"""What an inference has really spent, by its own records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlmhb.store.files import read_json


def spent_by_artifact(out: Path) -> float:
    """For every attempt of all its starts; what was reserved when a start was killed may have been charged and counts.

    `out` is the output folder of an inference."""
    spending = read_json(out / "spending.json")
    if isinstance(spending, dict):
        return _amount(spending, "spent") + _amount(spending, "reserved")
    summary = read_json(out / "summary.json")
    return _amount(summary, "spent") if isinstance(summary, dict) else 0.0


def _amount(value: dict[str, Any], key: str) -> float:
    found = value.get(key)
    return float(found) if isinstance(found, int | float) else 0.0
