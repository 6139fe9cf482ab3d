"""GPUs of this machine and what they are called. Found by `discover`, narrowed by `masks`, taken by `leases`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Source = Literal["nvml", "nvidia-smi", "none"]
MIB_PER_GIB = 1024


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One device that can be leased: a whole GPU, or a MIG slice of one. Memory in MiB; None where it is not told.

    `index` is NVML's, as `nvidia-smi` shows it; of a slice `<gpu>:<slice>`."""

    index: str
    uuid: str
    name: str
    memory_mib: float | None = None
    used_mib: float | None = None
    parent: str | None = None  # UUID of the GPU that a slice is part of

    @property
    def free_mib(self) -> float | None:
        if self.memory_mib is None or self.used_mib is None:
            return None
        return self.memory_mib - self.used_mib

    def __str__(self) -> str:
        return f"GPU {self.index} ({self.name})"


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """Every device that can be leased, in index order; a GPU that is cut into slices is not among them.

    `split`: UUID and index of those, to say so when one is asked for. `problem`: why nothing could be found."""

    gpus: tuple[Gpu, ...] = ()
    split: tuple[Gpu, ...] = ()
    driver: str = ""
    source: Source = "none"
    problem: str = ""

    def named(self, name: str) -> Gpu | None:
        """The device that an index, a UUID or a clear beginning of one means."""
        return by_name(self.gpus, name)


def by_name(gpus: Iterable[Gpu], name: str) -> Gpu | None:
    name = name.strip()
    found = [gpu for gpu in gpus if name in (gpu.index, gpu.uuid)]
    if not found and name.startswith(("GPU-", "MIG-")):
        found = [gpu for gpu in gpus if gpu.uuid.startswith(name)]
    return found[0] if len(found) == 1 else None


def gib(mib: float) -> str:
    return f"{mib / MIB_PER_GIB:.1f}".removesuffix(".0") + " GiB"


def listed(gpus: Iterable[Gpu]) -> str:
    """For messages: `0 (GPU-1f.. NVIDIA L4, 22.5 GiB)`."""
    return ", ".join(
        f"{gpu.index} ({gpu.uuid} {gpu.name}{f', {gib(gpu.memory_mib)}' if gpu.memory_mib else ''})"
        for gpu in gpus
    )
