"""On a machine with an NVIDIA GPU: found, leased, proved inside and sampled for real."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from e2e_world import World
from vlmhb.resources.discover import discover
from vlmhb.resources.nvml import Nvml

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not Path("/dev/nvidiactl").exists(), reason="no GPU here"),
]


def test_nvml_and_the_vendors_program_name_the_same_devices() -> None:
    found = discover()
    assert found.gpus and found.source == "nvml"
    assert all(gpu.memory_mib and gpu.memory_mib > 1000 for gpu in found.gpus)
    if shutil.which("nvidia-smi") is None:
        pytest.skip("nvidia-smi is not here")
    told = subprocess.run(
        ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {gpu.uuid for gpu in found.gpus} >= set(told.stdout.split())


def test_a_reading_is_plausible() -> None:
    nvml = Nvml()
    reading = nvml.read(nvml.inventory().gpus[0].uuid)
    assert reading.memory_mib is not None and reading.memory_mib >= 0
    assert reading.temperature_c is None or 0 < reading.temperature_c < 120
    assert reading.power_w is None or 0 < reading.power_w < 2000


def test_a_run_leases_proves_and_samples_it(process_world: World) -> None:
    process_world.make(pages=4)
    process_world.make_cards({"page-model": {"delay_s": 0.5}}, gpus=1, min_vram_gib=1)
    summary = process_world.run()
    folder = process_world.stage(summary, "infer")
    resources = json.loads((folder / "manifest.json").read_text())["manifest"]["extra"]["resources"]
    assert len(resources["gpus"]) == 1
    assert all(gpu["peak_memory_mib"] > 0 for gpu in resources["gpus"].values())
    assert resources["energy_j"] > 0
