"""GPUs are found through the driver's library, by its own interface, in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from gpu_standin import Pretended, Standin
from vlmhb.command import CommandResult
from vlmhb.resources.discover import from_smi

LOOK = """
import json
from vlmhb.resources.discover import discover
found = discover()
print(json.dumps({
    "gpus": [vars(gpu) for gpu in found.gpus],
    "split": [gpu.uuid for gpu in found.split],
    "driver": found.driver, "source": found.source, "problem": found.problem,
}))
"""
READ = """
import json, sys
from vlmhb.resources.nvml import Nvml
print(json.dumps(vars(Nvml().read(sys.argv[1]))))
"""


def ask(standin: Standin, code: str, *argv: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", code, *argv],
        env={**os.environ, **standin.env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_devices_with_their_names_and_memory(standin: Standin) -> None:
    standin.set(
        Pretended(uuid="GPU-aaaa", name="NVIDIA L4", total=23034, used=300),
        Pretended(uuid="GPU-bbbb", total=None),
    )
    found = ask(standin, LOOK)
    assert found["source"] == "nvml"
    assert found["driver"] == "000.00.stand-in"
    first, second = found["gpus"]
    assert (first["index"], first["uuid"], first["name"]) == ("0", "GPU-aaaa", "NVIDIA L4")
    assert (first["memory_mib"], first["used_mib"]) == (23034, 300)
    assert (second["index"], second["memory_mib"]) == ("1", None)


def test_mig_slices_take_the_place_of_their_gpu(standin: Standin) -> None:
    standin.set(
        Pretended(uuid="GPU-aaaa"),
        Pretended(uuid="GPU-bbbb"),
        Pretended(uuid="MIG-1", name="NVIDIA A100 MIG 3g.20gb", total=19968, parent="GPU-bbbb"),
        Pretended(uuid="MIG-2", name="NVIDIA A100 MIG 3g.20gb", total=19968, parent="GPU-bbbb"),
    )
    found = ask(standin, LOOK)
    assert [(gpu["index"], gpu["uuid"]) for gpu in found["gpus"]] == [
        ("0", "GPU-aaaa"),
        ("1:0", "MIG-1"),
        ("1:1", "MIG-2"),
    ]
    assert found["gpus"][1]["parent"] == "GPU-bbbb"
    assert found["split"] == ["GPU-bbbb"]


def test_a_driver_without_devices_and_no_driver_at_all(standin: Standin) -> None:
    assert ask(standin, LOOK)["gpus"] == []
    (standin.folder / "gpus.txt").unlink()
    found = ask(standin, LOOK)
    assert found["source"] == "none"
    assert "Driver Not Loaded" in found["problem"]


def test_a_reading_tells_what_the_device_tells(standin: Standin) -> None:
    standin.set(
        Pretended(uuid="GPU-aaaa", used=4096, watts=180.5, celsius=61, percent=87),
        Pretended(uuid="GPU-bbbb", watts=70.0, meter=False, celsius=None, percent=None),
    )
    full = ask(standin, READ, "GPU-aaaa")
    assert (full["util"], full["memory_mib"], full["power_w"], full["temperature_c"]) == (87, 4096, 180.5, 61)
    assert full["energy_j"] > 0
    assert ask(standin, READ, "GPU-aaaa")["energy_j"] > full["energy_j"]
    part = ask(standin, READ, "GPU-bbbb")
    assert (part["util"], part["temperature_c"], part["energy_j"], part["power_w"]) == (
        None,
        None,
        None,
        70.0,
    )
    assert ask(standin, READ, "GPU-gone")["memory_mib"] is None


def test_nvidia_smi_is_read_where_there_is_no_library() -> None:
    table = (
        "0, GPU-aaaa, NVIDIA L4, 23034, 300, 550.54\n"
        "1, GPU-bbbb, NVIDIA GB200, [N/A], [N/A], 550.54\n"
        "a warning of the driver\n"
    )
    found = from_smi(CommandResult(argv=("nvidia-smi",), code=0, stdout=table, stderr=""))
    assert [(gpu.uuid, gpu.memory_mib) for gpu in found.gpus] == [("GPU-aaaa", 23034), ("GPU-bbbb", None)]
    assert (found.driver, found.source) == ("550.54", "nvidia-smi")
    failed = CommandResult(argv=("nvidia-smi",), code=9, stdout="NVIDIA-SMI has failed", stderr="")
    assert from_smi(failed).gpus == ()
