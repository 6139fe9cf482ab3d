"""How long `vlmhb --help` takes, beside an interpreter that does nothing."""

from __future__ import annotations

import sys
from pathlib import Path

from benches.timing import Row, compare, run

RUNS = 10


def measure(_folder: Path) -> list[Row]:
    vlmhb = str(Path(sys.executable).with_name("vlmhb"))
    return compare(
        {
            "python -c pass": lambda: run([sys.executable, "-c", "pass"]),
            "vlmhb --help": lambda: run([vlmhb, "--help"]),
            "vlmhb models list": lambda: run([vlmhb, "models", "list"]),
        },
        runs=RUNS,
    )
