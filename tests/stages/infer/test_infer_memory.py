"""Memory does not grow with the number of pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from infer_bench import Bench, sample
from infer_faults import FaultServer

MEASURED = """
import re
from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer import run
from vlmhb_stages.paths import EVENTS, resolve
from vlmhb_stages.spec import read_spec
code = run(read_spec(), events=EventWriter(resolve(EVENTS)))
# not ru_maxrss: that begins with what the parent held when it started us
print(code, int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]) // 1024)
"""
PAGE = 150_000  # bytes
IN_FLIGHT = 16  # few, so that what is in flight at the peak is small beside the margin


def peak_mib(bench: Bench, url: str, *, pages: int) -> int:
    bench.write_samples([sample(f"s{i}", bench.image(f"{i}.png", os.urandom(PAGE))) for i in range(pages)])
    (bench.root / "spec.json").write_text(bench.http(url, concurrency=IN_FLIGHT).model_dump_json())
    env = {**os.environ, "VLMHB_ROOT": str(bench.root)}
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], env=env, capture_output=True, text=True, check=True
    )
    code, peak = (int(word) for word in done.stdout.split())
    assert code == 0 and len(bench.predictions) == pages
    return peak


def test_three_thousand_pages_need_no_more_than_three_hundred(bench: Bench) -> None:
    """`benches/memory.py` goes to 20,000. Growth with the pages would show as 2,700 x 150 kB, or any part of it."""
    with FaultServer(delay_s=0.01) as server:
        server.on_asked = lambda count: server.asked.clear()  # else this very test would need a gigabyte
        few = peak_mib(bench, server.base_url, pages=300)
        many = peak_mib(bench, server.base_url, pages=3000)
        assert server.most_in_flight <= IN_FLIGHT
    assert many < 400
    assert many < few + 60


def test_it_writes_little(bench: Bench) -> None:
    with FaultServer() as server:
        peak_mib(bench, server.base_url, pages=50)
    written = sum(path.stat().st_size for path in (bench.root / "out").iterdir())
    assert written < 0.05 * 50 * PAGE
    assert json.loads((bench.root / "out/summary.json").read_text())["counts"]["ok"] == 50


@pytest.mark.parametrize("concurrency", [1, 8])
def test_latencies_are_those_of_the_server(bench: Bench, concurrency: int) -> None:
    bench.write_samples([sample(f"s{i}") for i in range(8)])
    with FaultServer(delay_s=0.1) as server:
        assert bench.run(bench.http(server.base_url, concurrency=concurrency)) == 0
    for record in bench.predictions:
        # with the wait for its turn the last would have 0.8
        assert record.latency_s is not None and 0.1 <= record.latency_s < 0.7
