"""Which GPUs this process may use: what CUDA, the container toolkit and Slurm say in the environment."""

from __future__ import annotations

from collections.abc import Mapping

from vlmhb.resources.gpus import Gpu, Inventory, by_name

CUDA = "CUDA_VISIBLE_DEVICES"
TOOLKIT = "NVIDIA_VISIBLE_DEVICES"
SLURM = ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS")  # the first that is set counts


def usable(inventory: Inventory, *, env: Mapping[str, str]) -> tuple[Gpu, ...]:
    """The devices that every mask leaves, in index order."""
    kept = {gpu.uuid for gpu in inventory.gpus}
    if CUDA in env:
        kept &= _cuda(inventory, env[CUDA])
    if TOOLKIT in env:
        kept &= _toolkit(inventory, env[TOOLKIT])
    slurm = next((env[name] for name in SLURM if env.get(name)), None)
    if slurm is not None:
        kept &= _counted_outside(inventory, slurm)
    return tuple(gpu for gpu in inventory.gpus if gpu.uuid in kept)


def masks_in_force(env: Mapping[str, str]) -> str:
    """For messages: `CUDA_VISIBLE_DEVICES=1`; empty where there is none."""
    names = (CUDA, TOOLKIT, *SLURM)
    return ", ".join(f"{name}={env[name]}" for name in names if name in env)


def _cuda(inventory: Inventory, mask: str) -> set[str]:
    """CUDA's own rule: devices are visible up to the first entry that names none."""
    kept: set[str] = set()
    for word in mask.split(","):
        found = _devices(inventory, word)
        if not found:
            break
        kept |= found
    return kept


def _toolkit(inventory: Inventory, mask: str) -> set[str]:
    """`all`, `void` and nothing hide none; `none` hides all. Its indices may be those of the host outside."""
    if mask in ("", "all", "void"):
        return {gpu.uuid for gpu in inventory.gpus}
    return set() if mask == "none" else _counted_outside(inventory, mask)


def _counted_outside(inventory: Inventory, mask: str) -> set[str]:
    """A mask counted on the whole host. Where only so many devices are visible, they are those that it means,
    whatever their numbers here: cgroups or a container have hidden the others."""
    words = [word for word in mask.split(",") if word.strip()]
    whole = [gpu for gpu in inventory.gpus if gpu.parent is None]
    if len(whole) + len(inventory.split) <= len(words):
        return {gpu.uuid for gpu in inventory.gpus}
    return set().union(*(_devices(inventory, word) for word in words))


def _devices(inventory: Inventory, word: str) -> set[str]:
    """One device, or all slices of a GPU that is cut into slices."""
    found = by_name(inventory.gpus, word)
    if found is not None:
        return {found.uuid}
    split = by_name(inventory.split, word)
    return {gpu.uuid for gpu in inventory.gpus if split is not None and gpu.parent == split.uuid}
