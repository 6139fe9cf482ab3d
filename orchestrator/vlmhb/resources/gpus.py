"""Which GPUs a model gets: exactly those asked for, or the first that there are."""

from __future__ import annotations

from vlmhb.command import run_command
from vlmhb.errors import GpuMissing


def list_gpus() -> tuple[str, ...]:
    """UUIDs in index order; empty when there is no driver."""
    result = run_command(["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"], timeout_s=20)
    return tuple(line.strip() for line in result.stdout.splitlines() if line.strip()) if result.ok else ()


def choose_gpus(*, asked: tuple[str, ...] | None, count: int, where: str) -> tuple[str, ...]:
    """`asked` are UUIDs or indices from the config, taken as they are. Raises `GpuMissing`."""
    if asked is not None:
        return asked
    if count == 0:
        return ()
    found = list_gpus()
    if len(found) < count:
        raise GpuMissing(
            f"the model needs {count} GPU(s), {len(found)} found", where=where, hint="see vlmhb doctor"
        )
    return found[:count]
