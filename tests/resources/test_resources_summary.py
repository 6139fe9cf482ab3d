"""What was used, added up from samples: restarts, gaps and torn lines included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from vlmhb.resources.summary import summarize, summary_of


def line(t: float, role: str, **values: Any) -> dict[str, Any]:
    return {"t": t, "role": role, **values}


def gpu(t: float, **values: Any) -> dict[str, Any]:
    return line(t, "gpu:GPU-0", **values)


def test_nothing_sampled_is_nothing_told(tmp_path: Path) -> None:
    assert summary_of([]) == {}
    assert summarize(tmp_path / "absent.jsonl") == {}


def test_energy_by_the_meter_and_peaks() -> None:
    told = summary_of(
        [
            gpu(100, name="NVIDIA L4", total_mib=23034, idle_memory_mib=400, first=True),
            gpu(100, util=0, memory_mib=400, power_w=20, temperature_c=40, energy_j=5000, first=True, hz=2),
            gpu(101, util=80, memory_mib=9000, power_w=70, temperature_c=55, energy_j=5060),
            gpu(102, util=100, memory_mib=8000, power_w=70, temperature_c=60, energy_j=5130),
        ],
        pages=10,
    )
    assert told["gpus"]["GPU-0"] == {
        "name": "NVIDIA L4",
        "total_memory_mib": 23034,
        "idle_memory_mib": 400,
        "peak_memory_mib": 9000,
        "mean_util": 60,
        "mean_power_w": 53.3,
        "max_temperature_c": 60,
        "energy_j": 130,
    }
    assert (told["energy_j"], told["seconds"], told["gpu_seconds"], told["hz"]) == (130, 2, 2, 2)
    assert (told["energy_j_per_page"], told["seconds_per_page"]) == (13, 0.2)


def test_energy_from_power_where_there_is_no_meter() -> None:
    told = summary_of([gpu(0, power_w=100, first=True), gpu(2, power_w=200), gpu(3, power_w=200)])
    assert told["energy_j"] == 500  # trapezoids: 2 s at 150 W, 1 s at 200 W


def test_pages_are_charged_only_for_the_time_with_requests_in_flight() -> None:
    lines = [gpu(t, energy_j=100.0 * t, first=t == 0) for t in range(11)]  # 100 W for 10 s
    told = summary_of(lines, pages=2, active=[(2.5, 4.5), (8, 10)])
    assert told["energy_j"] == 1000
    assert told["energy_j_per_page"] == pytest.approx(200)
    assert told["seconds_per_page"] == pytest.approx(2)


def test_a_container_that_was_started_anew_counts_on() -> None:
    told = summary_of(
        [
            line(0, "infer", cpu_s=0.1, first=True),
            line(1, "infer", cpu_s=0.2),
            line(1, "server-0", cpu_s=3, rss_mib=100, read_mib=10, written_mib=0),
            line(2, "server-0", cpu_s=5, rss_mib=300, read_mib=12, written_mib=1),
            line(3, "server-0", cpu_s=1, rss_mib=50, read_mib=4, written_mib=0),  # killed, and started again
        ]
    )
    assert told["containers"]["server-0"] == {
        "cpu_s": 6,
        "peak_rss_mib": 300,
        "read_mib": 16,
        "written_mib": 1,
    }
    assert told["containers"]["infer"]["cpu_s"] == pytest.approx(0.1)
    assert told["energy_j"] is None


def test_a_server_that_was_there_before_is_charged_from_now_on() -> None:
    """It has served another benchmark: only what it uses in this one counts."""
    told = summary_of(
        [line(0, "server-0", cpu_s=500, rss_mib=1, first=True), line(1, "server-0", cpu_s=502, rss_mib=1)]
    )
    assert told["containers"]["server-0"]["cpu_s"] == 2


def test_the_time_between_two_attempts_counts_for_nothing() -> None:
    told = summary_of(
        [
            gpu(0, energy_j=1000, first=True),
            gpu(1, energy_j=1100),
            {"role": "infer", "t": 1, "exit": 137},
            gpu(3600, energy_j=900_000, first=True),
            gpu(3601, energy_j=900_100),
        ]
    )
    assert (told["energy_j"], told["seconds"]) == (200, 2)


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "resources.jsonl"
    path.write_text(
        '{"t": 0, "role": "infer", "cpu_s": 1, "first": true}\n'
        '{"t": 1, "role": "inf\n'
        '{"role": "infer", "peak_memory_mib": 3, "exit": 0}\n[]\n'
        '{"t": 2, "role": "infer", "cpu_s": 3}\n'
    )
    assert summarize(path)["containers"]["infer"]["cpu_s"] == 2


def test_the_disk_is_no_container() -> None:
    told = summary_of([line(0, "disk", free_mib=5, first=True), line(1, "disk", free_mib=4)])
    assert (told["containers"], told["gpus"], told["seconds"]) == ({}, {}, 1)
