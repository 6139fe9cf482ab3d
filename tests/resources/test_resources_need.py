"""Exactly the GPUs asked for, or a message in numbers."""

from __future__ import annotations

import pytest
from vlmhb.errors import BadValue, GpuMissing
from vlmhb.resources.gpus import Gpu, Inventory
from vlmhb.resources.need import GpuNeed, candidates, check_free


def gpu(index: str, uuid: str, *, gib: float = 24, used: float = 0, name: str = "NVIDIA L4") -> Gpu:
    return Gpu(index=index, uuid=uuid, name=name, memory_mib=gib * 1024, used_mib=used * 1024)


GPUS = tuple(gpu(str(n), f"GPU-{n}") for n in range(4))
HOST = Inventory(gpus=GPUS, source="nvml")


def ask(
    need: GpuNeed, *, host: Inventory = HOST, usable: tuple[Gpu, ...] | None = None, masks: str = ""
) -> list[str]:
    usable = host.gpus if usable is None else usable
    return [found.uuid for found in candidates(need, inventory=host, usable=usable, masks=masks)]


def need(**values: object) -> GpuNeed:
    return GpuNeed(**{"model": "qwen", "where": "c.csv, row 2", **values})  # type: ignore[arg-type]


def test_r9_exactly_the_gpus_of_the_config() -> None:
    assert ask(need(asked=("2", "3"), count=1)) == ["GPU-2", "GPU-3"]
    assert ask(need(asked=("GPU-3", "2"))) == ["GPU-3", "GPU-2"]


def test_a_model_of_the_cpu_needs_none() -> None:
    assert ask(need(), host=Inventory(problem="no driver")) == []
    assert ask(need(count=2, asked=())) == []


def test_without_a_wish_any_that_are_large_enough() -> None:
    mixed = Inventory(gpus=(gpu("0", "GPU-0", gib=8), gpu("1", "GPU-1", gib=24)), source="nvml")
    assert ask(need(count=1), host=mixed) == ["GPU-0", "GPU-1"]
    assert ask(need(count=1, min_vram_gib=16), host=mixed) == ["GPU-1"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("9", "VHB306: no GPU '9', in c.csv, row 2; hint: there is 0 (GPU-0 NVIDIA L4, 24 GiB), 1 (GPU-1"),
        ("GPU-zz", "no GPU 'GPU-zz'"),
    ],
)
def test_an_unknown_gpu_is_an_error_that_lists_what_is_there(asked: str, says: str) -> None:
    with pytest.raises(GpuMissing) as error:
        ask(need(asked=(asked,)))
    assert says in error.value.line()


def test_a_hidden_gpu_and_one_in_slices_are_told_as_such() -> None:
    with pytest.raises(GpuMissing, match="GPU 3 is hidden by CUDA_VISIBLE_DEVICES=0"):
        ask(need(asked=("3",)), usable=GPUS[:1], masks="CUDA_VISIBLE_DEVICES=0")
    split = Inventory(gpus=(gpu("0:0", "MIG-a"),), split=(gpu("0", "GPU-0"),), source="nvml")
    with pytest.raises(GpuMissing, match=r"GPU 0 is cut into MIG devices.*MIG-a"):
        ask(need(asked=("0",)), host=split)


def test_too_few_are_counted() -> None:
    with pytest.raises(GpuMissing, match=r"qwen needs 6 GPU\(s\) \(3 replicas of 2\), 4 found"):
        ask(need(count=2, copies=3))
    with pytest.raises(GpuMissing, match=r"needs 1 GPU\(s\), 0 found after CUDA_VISIBLE_DEVICES=,"):
        ask(need(count=1), usable=(), masks="CUDA_VISIBLE_DEVICES=")
    with pytest.raises(GpuMissing, match="hint: NVML: no library"):
        ask(need(count=1), host=Inventory(problem="NVML: no library"))


def test_memory_that_is_not_there_is_told_in_numbers() -> None:
    small = Inventory(gpus=(gpu("0", "GPU-0", gib=12, name="NVIDIA RTX 3060"),), source="nvml")
    for asked in (("0",), None):
        with pytest.raises(GpuMissing) as error:
            ask(need(count=1, asked=asked, min_vram_gib=18), host=small)
        assert error.value.what == "qwen needs 18 GiB, GPU 0 (NVIDIA RTX 3060) has 12 GiB"
    with pytest.raises(GpuMissing, match="needs 40 GiB on each of 2 GPUs, GPU 0"):
        ask(need(count=2, min_vram_gib=80))


def test_memory_that_others_hold_is_told_in_numbers() -> None:
    check_free(need(count=1, min_vram_gib=18), [gpu("0", "GPU-0", used=5)])
    with pytest.raises(GpuMissing, match=r"needs 18 GiB, GPU 0 \(NVIDIA L4\) has 4 GiB of 24 GiB free"):
        check_free(need(count=1, min_vram_gib=18), [gpu("0", "GPU-0", used=20)])
    silent = Gpu(index="0", uuid="GPU-0", name="GB10")
    check_free(need(count=1, min_vram_gib=18), [silent])


def test_replicas_share_the_gpus_asked_for_evenly() -> None:
    assert need(asked=("0", "1", "2", "3"), copies=2).each == 2
    with pytest.raises(BadValue, match="3 GPUs cannot be shared out to 2 replicas"):
        ask(need(asked=("0", "1", "2"), copies=2))
    with pytest.raises(BadValue, match="the same GPU twice"):
        ask(need(asked=("0", "GPU-0")))
