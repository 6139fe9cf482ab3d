"""Sampling beside an inference: what it writes, that it never costs a run, and what it costs itself."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmhb.engines.base import Handle, Usage
from vlmhb.engines.process_handle import ProcessHandle
from vlmhb.resources.gpus import Gpu
from vlmhb.resources.nvml import GpuReading
from vlmhb.resources.sampler import Sampler, sampled
from vlmhb.resources.summary import summarize

GPU = Gpu(index="0", uuid="GPU-0", name="NVIDIA L4", memory_mib=23034, used_mib=400)
SLICE = Gpu(index="1:0", uuid="MIG-a", name="A100 3g", memory_mib=19968, used_mib=10, parent="GPU-1")


class Reader:
    def read(self, uuid: str) -> GpuReading:
        if uuid.startswith("MIG"):
            return GpuReading(memory_mib=500)
        return GpuReading(util=50, memory_mib=900, power_w=70, temperature_c=44, energy_j=1000)


def handle(usage: Usage | None) -> Handle:
    found = ProcessHandle(client=None, root=None)
    found.usage = lambda: usage  # type: ignore[method-assign]
    return found


def sampler(tmp_path: Path, handles: Mapping[str, Handle], **values: Any) -> Sampler:
    return Sampler(handles=lambda: handles, disk=tmp_path, reader=Reader(), **values)


def test_one_look_has_a_line_for_each_role(tmp_path: Path) -> None:
    handles = {"infer": handle(Usage(cpu_s=1.5, rss_mib=40)), "server-0": handle(None)}
    found = sampler(tmp_path, handles, gpus=[GPU, SLICE], clock=lambda: 12.3456)
    lines = found.lines()
    assert [one["role"] for one in lines] == ["gpu:GPU-0", "gpu:MIG-a", "infer", "disk"]
    assert lines[0] == {
        "t": 12.346,
        "role": "gpu:GPU-0",
        "util": 50,
        "memory_mib": 900,
        "power_w": 70,
        "temperature_c": 44,
        "energy_j": 1000,
    }
    assert (lines[1]["memory_mib"], lines[1]["power_w"]) == (500, 70)  # a slice has its GPU's power meter
    assert lines[2] == {"t": 12.346, "role": "infer", "cpu_s": 1.5, "rss_mib": 40}
    assert found.first()[0]["idle_memory_mib"] == 400


def test_samples_are_written_while_the_block_runs(tmp_path: Path) -> None:
    path = tmp_path / "resources.jsonl"
    with sampled(sampler(tmp_path, {}, gpus=[GPU]), hz=100, path=path, failed=lambda _: None):
        deadline = time.monotonic() + 20
        while (not path.exists() or len(path.read_text().splitlines()) < 10) and time.monotonic() < deadline:
            time.sleep(0.01)
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    assert [bool(one.get("first")) for one in lines[:4]] == [True, True, True, False]
    assert lines[1]["hz"] == 100
    assert summarize(path)["gpus"]["GPU-0"]["peak_memory_mib"] == 900
    assert "sampler" not in {thread.name for thread in threading.enumerate()}


def test_what_a_gpu_does_is_shown_until_the_end(tmp_path: Path) -> None:
    shown: list[tuple[str, str]] = []
    found = sampler(tmp_path, {}, gpus=[GPU], shown=lambda device, text: shown.append((device, text)))
    with sampled(found, hz=0.001, path=tmp_path / "r.jsonl", failed=lambda _: None):
        pass
    assert shown == [("GPU 0", "50 %, 0.9 of 22.5 GiB")] * 2 + [("GPU 0", "")]


def test_zero_switches_it_off(tmp_path: Path) -> None:
    with sampled(sampler(tmp_path, {}), hz=0, path=tmp_path / "resources.jsonl", failed=lambda _: None):
        pass
    assert not (tmp_path / "resources.jsonl").exists()


def test_a_fault_of_the_sampler_costs_a_message_and_nothing_else(tmp_path: Path) -> None:
    class Broken:
        def read(self, uuid: str) -> GpuReading:
            raise RuntimeError("fell off the bus")

    told: list[str] = []
    broken = Sampler(handles=dict, gpus=[GPU], disk=tmp_path, reader=Broken())
    with sampled(broken, hz=100, path=tmp_path / "r.jsonl", failed=told.append):
        pass
    with sampled(sampler(tmp_path, {}), hz=100, path=tmp_path / "no" / "r.jsonl", failed=told.append):
        pass
    assert told[0] == "resources were not sampled to the end: RuntimeError: fell off the bus"
    assert "FileNotFoundError" in told[1]


def test_a_real_process_tree_is_measured(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'x = bytearray(80_000_000)\\nprint(1, flush=True)\\ninput()'],"
        " stdin=subprocess.PIPE)\n"
        "input()\n"
    )
    leader = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert leader.stdout is not None and leader.stdout.readline() == b"1\n"
        usage = ProcessHandle(client=leader, root=None).usage()
        assert usage is not None
        assert usage.rss_mib is not None and usage.rss_mib > 80
        assert usage.cpu_s is not None and usage.cpu_s > 0
    finally:
        leader.kill()
        leader.wait()


def test_it_costs_less_than_one_percent_of_a_cpu(tmp_path: Path) -> None:
    """At the default rate, with a process tree and two GPUs; CPU time, so that a busy machine is no excuse."""
    me = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        handles = {role: ProcessHandle(client=me, root=None) for role in ("infer", "server-0")}
        found = sampler(tmp_path, handles, gpus=[GPU, SLICE])
        before = time.process_time()
        looks = 50
        for _ in range(looks):
            json.dumps(found.lines())
        each = (time.process_time() - before) / looks
    finally:
        me.kill()
        me.wait()
    assert each * 2.0 < 0.01, f"{each * 1000:.2f} ms of CPU each"
