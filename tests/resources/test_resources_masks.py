"""Masks of CUDA, the container toolkit and Slurm: what is hidden is never used."""

from __future__ import annotations

import pytest
from vlmhb.resources.gpus import Gpu, Inventory, by_name
from vlmhb.resources.masks import masks_in_force, usable


def gpu(index: str, uuid: str, *, parent: str | None = None) -> Gpu:
    return Gpu(index=index, uuid=uuid, name="N", memory_mib=24576, used_mib=0, parent=parent)


FOUR = Inventory(gpus=tuple(gpu(str(n), f"GPU-{n}{n}{n}{n}-x") for n in range(4)), source="nvml")
SPLIT = Inventory(
    gpus=(
        gpu("0", "GPU-0000"),
        gpu("1:0", "MIG-a", parent="GPU-1111"),
        gpu("1:1", "MIG-b", parent="GPU-1111"),
    ),
    split=(gpu("1", "GPU-1111"),),
    source="nvml",
)


@pytest.mark.parametrize(
    ("env", "left"),
    [
        ({}, "0123"),
        ({"CUDA_VISIBLE_DEVICES": "2,1"}, "12"),
        ({"CUDA_VISIBLE_DEVICES": ""}, ""),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, ""),
        ({"CUDA_VISIBLE_DEVICES": "1,7,2"}, "1"),  # CUDA stops at the first that is not there
        ({"CUDA_VISIBLE_DEVICES": "GPU-3333-x, 0"}, "03"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-33"}, "3"),  # the beginning of a UUID
        ({"NVIDIA_VISIBLE_DEVICES": "all"}, "0123"),
        ({"NVIDIA_VISIBLE_DEVICES": "void"}, "0123"),
        ({"NVIDIA_VISIBLE_DEVICES": "none"}, ""),
        ({"NVIDIA_VISIBLE_DEVICES": "GPU-1111-x,GPU-2222-x"}, "12"),
        ({"SLURM_JOB_GPUS": "0,3"}, "03"),
        ({"SLURM_STEP_GPUS": "3", "SLURM_JOB_GPUS": "0,3"}, "3"),
        ({"SLURM_JOB_GPUS": "4,5,6,7"}, "0123"),  # cgroups show only the four of the job, numbered anew
        ({"SLURM_JOB_GPUS": "2,3", "CUDA_VISIBLE_DEVICES": "2"}, "2"),
        ({"CUDA_VISIBLE_DEVICES": "0,1", "NVIDIA_VISIBLE_DEVICES": "1,2"}, "1"),
    ],
)
def test_every_mask_is_respected(env: dict[str, str], left: str) -> None:
    assert "".join(found.index for found in usable(FOUR, env=env)) == left


def test_a_gpu_in_slices_stands_for_all_of_them() -> None:
    assert [one.uuid for one in usable(SPLIT, env={"CUDA_VISIBLE_DEVICES": "1"})] == ["MIG-a", "MIG-b"]
    assert [one.uuid for one in usable(SPLIT, env={"CUDA_VISIBLE_DEVICES": "MIG-b"})] == ["MIG-b"]
    assert [one.uuid for one in usable(SPLIT, env={"NVIDIA_VISIBLE_DEVICES": "1:0"})] == ["MIG-a"]


def test_a_name_is_an_index_a_uuid_or_its_clear_beginning() -> None:
    assert by_name(FOUR.gpus, " 2 ") is FOUR.gpus[2]
    assert by_name(FOUR.gpus, "GPU-2222-x") is FOUR.gpus[2]
    assert by_name(FOUR.gpus, "GPU-") is None  # of all of them
    assert by_name(FOUR.gpus, "22") is None


def test_masks_are_named_in_messages() -> None:
    assert masks_in_force({"CUDA_VISIBLE_DEVICES": "1", "A": "2"}) == "CUDA_VISIBLE_DEVICES=1"
