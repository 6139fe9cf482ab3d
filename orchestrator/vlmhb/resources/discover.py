"""Finds the GPUs of this machine: by NVML, else by `nvidia-smi`, else none."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence

from vlmhb.command import CommandResult, run_command
from vlmhb.resources.gpus import Gpu, Inventory
from vlmhb.resources.nvml import NoNvml, Nvml

QUERY = (
    "nvidia-smi",
    "--query-gpu=index,uuid,name,memory.total,memory.used,driver_version",
    "--format=csv,noheader,nounits",
)
Run = Callable[[Sequence[str]], CommandResult]


def _ask(argv: Sequence[str]) -> CommandResult:
    return run_command(argv, timeout_s=20)


def discover(*, run: Run = _ask) -> Inventory:
    """Never raises: a machine without a driver has an empty inventory that says why."""
    try:
        return Nvml().inventory()
    except NoNvml as error:
        found = from_smi(run(QUERY))
        return found if found.gpus else Inventory(problem=f"NVML: {error}")


def from_smi(result: CommandResult) -> Inventory:
    """From the program's table; MIG slices are not in it."""
    rows = csv.reader(result.stdout.splitlines(), skipinitialspace=True) if result.ok else ()
    complete = [row for row in rows if len(row) == 6]
    gpus = tuple(
        Gpu(index=row[0], uuid=row[1], name=row[2], memory_mib=_number(row[3]), used_mib=_number(row[4]))
        for row in complete
    )
    driver = complete[0][5] if complete else ""
    return Inventory(gpus=gpus, driver=driver, source="nvidia-smi" if gpus else "none")


def _number(text: str) -> float | None:
    """`[N/A]` where the device does not tell."""
    try:
        return float(text)
    except ValueError:
        return None
