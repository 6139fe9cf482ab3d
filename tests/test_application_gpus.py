"""`vlmhb plan` says in numbers which GPUs are missing on this machine; it refuses nothing for that."""

from __future__ import annotations

from pathlib import Path

import pytest
from vlmhb.application import gpu_warnings
from vlmhb.cards import load_registry
from vlmhb.config import read_run_config
from vlmhb.config.resolve import Roots, resolve
from vlmhb.contracts import ResolvedEvaluation
from vlmhb.resources.gpus import Gpu, Inventory
from vlmhb.resources.pool import GpuPool

CARD = (
    "name: {name}\nframework: F\ninterface: python\nclass_path: a:B\nimage: i:1\ntasks: [ocr]\n"
    "gpus: {gpus}\nmin_vram_gib: 40\n"
)
SMALL = Gpu(index="0", uuid="GPU-1", name="H100", memory_mib=24 * 1024, used_mib=0)
NONE = Inventory(problem="NVML: no driver")


def evaluations(folder: Path, *rows: str) -> tuple[ResolvedEvaluation, ...]:
    (folder / "models").mkdir()
    cards = (CARD.format(name="big", gpus=1), CARD.format(name="none", gpus=0))
    (folder / "models/m.yaml").write_text("---\n".join(cards))
    (folder / "u.csv").write_text("\n".join(("dataset;model_name;gpus", *rows)) + "\n")
    config = read_run_config(folder / "u.csv").config
    assert config is not None
    registry = load_registry(user_dirs=[folder])
    found = resolve(
        config, registry=registry, roots=Roots(config_dir=folder, cwd=folder), workspace=folder / "w"
    )
    assert found.errors == ()
    return found.evaluations


@pytest.mark.parametrize(
    ("row", "inventory", "told"),
    [
        ("docs_mini;big;[99]", Inventory(gpus=(SMALL,)), "no GPU '99'"),
        ("docs_mini;big;[99]", NONE, "there is none (NVML: no driver)"),
        ("docs_mini;big;", NONE, "big needs 1 GPU(s), 0 found"),
        ("docs_mini;big;", Inventory(gpus=(SMALL,)), "big needs 40 GiB"),
        ("docs_mini;none;", NONE, None),
    ],
)
def test_missing_gpus_are_told_in_numbers(
    tmp_path: Path, row: str, inventory: Inventory, told: str | None
) -> None:
    lines = gpu_warnings(evaluations(tmp_path, row), gpus=GpuPool(find=lambda: inventory, env={}))
    assert len(lines) == (told is not None)
    assert all(told is not None and told in line and "\n" not in line for line in lines)
