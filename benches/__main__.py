"""`make bench`: prints one table per measurement."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benches import driver, evaluate, latency, memory, metrics, resume, stages, startup, tables
from benches.timing import Row, table

BENCHES = {
    "startup": startup.measure,
    "stages": stages.measure,
    "driver": driver.measure,
    "latency": latency.measure,
    "memory": memory.measure,
    "resume": resume.measure,
    "metrics": metrics.measure,
    "evaluate": evaluate.measure,
    "tables": tables.measure,
}


def main(names: list[str]) -> None:
    for name in names or list(BENCHES):
        with tempfile.TemporaryDirectory(prefix="vlmhb-bench-") as folder:
            rows: list[Row] = BENCHES[name](Path(folder))
        print(f"\n## {name}\n")
        print(table(rows))


main(sys.argv[1:])
