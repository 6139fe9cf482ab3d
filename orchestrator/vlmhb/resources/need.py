"""What a model needs of GPUs, and whether it fits into those that there are: told in numbers before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlmhb.contracts import ResolvedEvaluation
from vlmhb.errors import BadValue, GpuMissing
from vlmhb.resources.gpus import MIB_PER_GIB, Gpu, Inventory, by_name, gib, listed


@dataclass(frozen=True, kw_only=True)
class GpuNeed:
    """`count` GPUs for each of `copies` servers. `asked`: names from the config, exactly those are used.

    `min_vram_gib` is of one copy, over all its GPUs, which share it evenly. `where`: for messages."""

    model: str
    count: int = 0
    copies: int = 1
    asked: tuple[str, ...] | None = None
    min_vram_gib: float | None = None
    where: str = ""

    @property
    def each(self) -> int:
        """GPUs of one copy. Raises `BadValue` where those asked for cannot be shared out."""
        if self.asked is None:
            return self.count
        if len(self.asked) % self.copies:
            raise BadValue(
                f"{len(self.asked)} GPUs cannot be shared out to {self.copies} replicas",
                where=self.where,
                hint="give each replica the same number of GPUs",
            )
        return len(self.asked) // self.copies

    @property
    def total(self) -> int:
        return self.each * self.copies

    @property
    def mib_each(self) -> float | None:
        """Memory that one of its GPUs must have."""
        if self.min_vram_gib is None or not self.each:
            return None
        return self.min_vram_gib * MIB_PER_GIB / self.each


def need_of(evaluation: ResolvedEvaluation) -> GpuNeed:
    row, model = evaluation.row, evaluation.model
    return GpuNeed(
        model=model.name,
        count=model.gpus,
        copies=row.replicas or 1,
        asked=row.gpus,
        min_vram_gib=model.min_vram_gib,
        where=str(row.place),
    )


def candidates(
    need: GpuNeed, *, inventory: Inventory, usable: Sequence[Gpu], masks: str = ""
) -> tuple[Gpu, ...]:
    """The GPUs from which `need.total` may be taken; all of them where the config names them.

    Raises `GpuMissing`, `BadValue`."""
    if not need.total:
        return ()
    if need.asked is not None:
        chosen = tuple(
            _asked(name, need=need, inventory=inventory, usable=usable, masks=masks) for name in need.asked
        )
        if len({gpu.uuid for gpu in chosen}) < len(chosen):
            raise BadValue(f"gpus names the same GPU twice: {', '.join(need.asked)}", where=need.where)
        _check_total(need, chosen)
        return chosen
    if len(usable) < need.total:
        each = f" ({need.copies} replicas of {need.each})" if need.copies > 1 else ""
        hidden = f" after {masks}" if masks else ""
        raise GpuMissing(
            f"{need.model} needs {need.total} GPU(s){each}, {len(usable)} found{hidden}",
            where=need.where,
            hint=inventory.problem or "vlmhb doctor lists them",
        )
    fitting = tuple(gpu for gpu in usable if _fits(gpu.memory_mib, need))
    if len(fitting) < need.total:
        _check_total(need, sorted(usable, key=lambda gpu: -(gpu.memory_mib or 0))[: need.total])
    return fitting


def check_free(need: GpuNeed, gpus: Sequence[Gpu]) -> None:
    """Raises `GpuMissing` when other programs hold what the model needs."""
    for gpu in gpus:
        free, least = gpu.free_mib, need.mib_each
        if free is not None and least is not None and free < least:
            raise GpuMissing(
                f"{need.model} needs {gib(least)}, {gpu} has {gib(free)} of {gib(gpu.memory_mib or 0)} free",
                where=need.where,
                hint="another program holds the rest (nvidia-smi lists them); end it, or name other GPUs in gpus",
            )


def _fits(memory_mib: float | None, need: GpuNeed) -> bool:
    return need.mib_each is None or memory_mib is None or memory_mib >= need.mib_each


def _check_total(need: GpuNeed, gpus: Sequence[Gpu]) -> None:
    for gpu in gpus:
        if not _fits(gpu.memory_mib, need):
            share = f" on each of {need.each} GPUs" if need.each > 1 else ""
            raise GpuMissing(
                f"{need.model} needs {gib(need.mib_each or 0)}{share}, {gpu} has {gib(gpu.memory_mib or 0)}",
                where=need.where,
                hint="take a larger GPU, more of them (gpus in the card or row), or a smaller model",
            )


def _asked(name: str, *, need: GpuNeed, inventory: Inventory, usable: Sequence[Gpu], masks: str) -> Gpu:
    found = by_name(usable, name)
    if found is not None:
        return found
    there = f"there is {listed(usable)}" if usable else f"there is none ({inventory.problem or 'no driver'})"
    if by_name(inventory.split, name) is not None:
        raise GpuMissing(f"GPU {name} is cut into MIG devices", where=need.where, hint=f"name those: {there}")
    if by_name(inventory.gpus, name) is not None:
        raise GpuMissing(f"GPU {name} is hidden by {masks}", where=need.where, hint=there)
    raise GpuMissing(f"no GPU {name!r}", where=need.where, hint=there)
