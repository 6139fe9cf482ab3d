"""Everything that ends a run early: error policies, signals, a full disk, broken inputs, kill -9."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from infer_bench import QUICK, Bench, SpedUp, sample, samples
from infer_faults import FaultServer, hang, once_asked, status
from vlmhb_stages.specs import BreakerPolicy, Host, InferSpec

PATIENT = QUICK.model_copy(update={"timeout_first_token_s": 600, "timeout_total_s": 600})

DRIVER = """
from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer import run
from vlmhb_stages.paths import EVENTS, resolve
from vlmhb_stages.spec import read_spec
raise SystemExit(run(read_spec(), events=EventWriter(resolve(EVENTS))))
"""


def start(bench: Bench, spec: InferSpec) -> subprocess.Popen[bytes]:
    """The driver as a process of its own, as a container runs it."""
    (bench.root / "spec.json").write_text(spec.model_dump_json())
    env = {**os.environ, "VLMHB_ROOT": str(bench.root), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", DRIVER], env=env)


def at_request(server: FaultServer, number: int) -> threading.Event:
    """Set when the server gets its request of that number, counted from now."""
    reached, target = threading.Event(), len(server.asked) + number

    def on_asked(count: int) -> None:
        if count >= target:
            reached.set()

    server.on_asked = on_asked
    return reached


@pytest.mark.parametrize(
    ("policy", "code", "asked"),
    [
        ("stop", 4, 2),
        ("tolerate:10", 4, 12),
        ("tolerate: 10%", 4, 12),
        ("tolerate:20", 0, 20),
        ("continue", 0, 20),
    ],
)
def test_error_policies(bench: Bench, policy: str, code: int, asked: int) -> None:
    """s1, s6 and s11 fail: 15 % of 20."""
    bench.write_samples(samples(20))
    broken = {name: status(404) for name in ("s1", "s6", "s11")}
    with FaultServer(always=broken) as server:
        assert bench.run(bench.http(server.base_url, error_policy=policy)) == code
    assert len(server.asked) == asked
    assert bench.summary.counts.planned == 20
    assert len(bench.predictions) == asked
    assert len(bench.events("fatal")) == (1 if code else 0)


def test_stop_lets_what_is_in_flight_end(bench: Bench) -> None:
    bench.write_samples(samples(20))
    with FaultServer(always={"s0": once_asked(4, status(404))}, delay_s=0.5) as server:
        assert bench.run(bench.http(server.base_url, error_policy="stop", concurrency=4)) == 4
    assert set(server.counts) == {"s0", "s1", "s2", "s3"}
    assert set(bench.by_id) == set(server.counts)
    assert {record.status for name, record in bench.by_id.items() if name != "s0"} == {"ok"}


def test_a_run_after_stop_goes_on(bench: Bench) -> None:
    bench.write_samples(samples(5))
    with FaultServer(script={"s2": [status(404)]}) as server:
        spec = bench.http(server.base_url, error_policy="stop")
        assert bench.run(spec) == 4
        assert bench.run(spec) == 0
    assert server.counts == {"s0": 1, "s1": 1, "s2": 2, "s3": 1, "s4": 1}


@pytest.mark.parametrize("policy", ["", "halt", "tolerate", "tolerate:x", "tolerate:101", "stop:1"])
def test_an_unknown_policy_is_refused(bench: Bench, policy: str) -> None:
    bench.write_samples(samples(1))
    assert bench.run(bench.http("http://127.0.0.1:9", error_policy=policy)) == 2
    assert "tolerate:<percent>" in bench.events("fatal")[0]["message"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(bench: Bench, number: int) -> None:
    """Nothing new is sent, what is in flight is awaited and recorded."""
    bench.write_samples(samples(50))
    with FaultServer(delay_s=0.3) as server:
        reached = at_request(server, 6)
        driver = start(bench, bench.http(server.base_url, concurrency=3))
        assert reached.wait(60)
        driver.send_signal(number)
        assert driver.wait(30) == 130
        recorded = set(bench.by_id)
        assert recorded == set(server.counts) and 6 <= len(recorded) <= 9
        assert {record.status for record in bench.predictions} == {"ok"}
        assert bench.summary.counts.ok == len(recorded)
        server.delay_s = 0.0
        assert bench.run(bench.http(server.base_url, concurrency=3)) == 0
    assert set(server.counts.values()) == {1}


BEATS = """
import itertools, sys, time
for count in itertools.count():
    with open(sys.argv[1], "w") as file:
        file.write(str(count))
    time.sleep(0.02)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_driver_whose_host_is_gone_ends_by_itself(bench: Bench, how: int) -> None:
    """Nobody would follow what it asks and pays for; the same command continues."""
    bench.write_samples(samples(1000))
    folder = bench.root / "host"
    folder.mkdir()
    host = subprocess.Popen([sys.executable, "-c", BEATS, str(folder / "alive")])
    try:
        with FaultServer(delay_s=0.05) as server:
            reached = at_request(server, 6)
            spec = bench.http(server.base_url, concurrency=3, host=Host(silent_s=3))
            driver = start(bench, spec)
            assert reached.wait(60)
            time.sleep(1)
            host.send_signal(how)
            assert driver.wait(30) == 130
            assert set(bench.by_id) == set(server.counts) and len(server.asked) < 900
            fatal = bench.events("fatal")[0]
            assert fatal["code"] == "VHB530" and "no sign of life" in fatal["message"]
            server.delay_s = 0.0
            assert bench.run(bench.http(server.base_url, concurrency=8)) == 0
        assert set(server.counts.values()) == {1}
    finally:
        host.kill()
        host.wait()


def test_a_hanging_request_is_dropped_after_the_grace_time(bench: Bench) -> None:
    bench.write_samples(samples(4))
    with FaultServer(always={"s1": hang}) as server:
        reached = at_request(server, 2)
        driver = start(bench, bench.http(server.base_url, drain_s=0.2))
        assert reached.wait(60)
        driver.terminate()
        assert driver.wait(30) == 130
    assert [record.sample_id for record in bench.predictions] == ["s0"]


def test_the_second_signal_does_not_wait(bench: Bench) -> None:
    bench.write_samples(samples(4))
    with FaultServer(always={"s1": hang}) as server:
        reached = at_request(server, 2)
        driver = start(bench, bench.http(server.base_url, drain_s=600))
        assert reached.wait(60)
        driver.send_signal(signal.SIGTERM)
        driver.send_signal(signal.SIGINT)  # another one: two of a kind may be merged
        assert driver.wait(30) == 130


def test_kill_9_at_random_moments(bench: Bench) -> None:
    """B12, V2, L1: every sample once, asked again at most what was in flight, equal to an undisturbed run."""
    planned, window, dice = 120, 4, random.Random(7)
    bench.write_samples([sample(f"s{i}", bench.image(f"{i % 5}.png")) for i in range(planned)])
    kills = 0
    with FaultServer(delay_s=0.005, script={"s9": [status(500)], "s60": [status(429)]}) as server:
        spec = bench.http(server.base_url, concurrency=window)
        while True:
            reached = at_request(server, dice.randint(1, 25))
            driver = start(bench, spec)
            while driver.poll() is None and not reached.wait(0.01):
                pass
            if driver.poll() is not None:
                break
            driver.kill()
            driver.wait()
            kills += 1
        assert driver.returncode == 0
        assert bench.run(spec) == 0
    assert kills >= 5
    assert [record.sample_id for record in bench.predictions] == [f"s{i}" for i in range(planned)]
    assert {
        (record.status, record.text == f"answer to {record.sample_id}") for record in bench.predictions
    } == {("ok", True)}
    faults = 2
    assert len(server.asked) <= planned + faults + kills * window


def full_attempts(bench: Bench) -> None:
    (bench.root / "out/attempts.jsonl").symlink_to("/dev/full")


@pytest.fixture
def tiny_disk(bench: Bench) -> Iterator[Path]:
    """`out` on a file system of 64 KiB, where this machine lets us have one."""
    out = bench.root / "out"
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(out)], capture_output=True)
    if made.returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    yield out
    subprocess.run(["umount", str(out)], check=True)


def test_a_full_disk_ends_the_run(bench: Bench) -> None:
    bench.write_samples(samples(5))
    full_attempts(bench)
    with FaultServer() as server:
        assert bench.run(bench.http(server.base_url)) == 5
    assert bench.events("fatal")[0]["code"] == "VHB405"
    assert len(server.asked) == 1


def test_a_disk_that_fills_up_leaves_whole_lines_and_can_be_resumed(bench: Bench, tiny_disk: Path) -> None:
    bench.write_samples(samples(200))
    with FaultServer() as server:
        spec = bench.http(server.base_url, concurrency=4)
        assert bench.run(spec) == 5
        recorded = len(bench.predictions)
        assert 20 < recorded < 200
        assert bench.predictions_path.read_bytes().endswith(b"}\n")
        subprocess.run(["mount", "-o", "remount,size=4m", str(tiny_disk)], check=True)
        assert bench.run(spec) == 0
    assert len(bench.predictions) == 200
    assert len(server.asked) <= 200 + 4 + 1


@pytest.mark.parametrize(
    "content", [None, b"{}\n", b"not json\n", b'{"sample_id": "a", "messages": []}\n' * 2]
)
def test_samples_that_break_the_contract(bench: Bench, content: bytes | None) -> None:
    if content is not None:
        (bench.root / "in/inputs/samples.jsonl").write_bytes(content)
    with FaultServer() as server:
        assert bench.run(bench.http(server.base_url)) == 6
    assert bench.events("fatal")[0]["code"] == "VHB402"


def test_no_samples_is_a_complete_run(bench: Bench) -> None:
    bench.write_samples([])
    assert bench.run(bench.http("http://127.0.0.1:9")) == 0
    assert bench.predictions == []
    assert bench.summary.counts.planned == 0


def test_a_wait_between_attempts_does_not_hold_up_a_stop(bench: Bench) -> None:
    bench.write_samples(samples(3))
    slow = QUICK.model_copy(update={"max_s": 1000.0})
    script = {"s0": [status(429, Retry_After="900")], "s1": [status(404)]}
    with FaultServer(script=script) as server:
        assert bench.run(bench.http(server.base_url, retry=slow, concurrency=2, error_policy="stop")) == 4
    assert "s0" not in bench.by_id and server.counts["s0"] == 1


def test_heartbeats_go_on_while_a_request_takes_long(bench: Bench) -> None:
    bench.write_samples(samples(1))
    with FaultServer(delay_s=0.3) as server:
        assert bench.run(bench.http(server.base_url, heartbeat_s=0.02)) == 0
    assert len(bench.events("heartbeat")) >= 5


def test_progress_is_told_at_most_once_a_second(bench: Bench) -> None:
    bench.write_samples(samples(100))
    with FaultServer(delay_s=0.001) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    told = bench.events("progress")
    assert (told[0]["done"], told[-1]["done"], told[-1]["total"]) == (0, 100, 100)
    gaps = [
        later["t"] - earlier["t"] for earlier, later in pairwise(told[:-1])
    ]  # the last one is told in any case
    assert all(gap >= 0.99 for gap in gaps)


def test_a_stop_does_not_wait_for_a_warm_up(bench: Bench) -> None:
    bench.write_samples(samples(4))
    with FaultServer(everything=hang) as server:
        reached = at_request(server, 2)
        driver = start(
            bench, bench.http(server.base_url, warmup=2, concurrency=2, drain_s=600, retry=PATIENT)
        )
        assert reached.wait(60)
        driver.send_signal(signal.SIGTERM)
        assert driver.wait(30) == 130
    assert len(server.asked) == 2 and bench.predictions == [] == bench.attempts


@pytest.mark.parametrize(("policy", "most"), [("stop", 4), ("tolerate:10", 8)])
def test_an_outage_ends_the_run_as_the_policy_says(bench: Bench, policy: str, most: int) -> None:
    """Not every one of the rest becomes an error that would have to be asked again."""
    bench.write_samples(samples(40))
    fast = SpedUp()
    breaker = BreakerPolicy(failures=4, cooldown_s=10)
    with FaultServer(everything=status(503)) as server:
        spec = bench.http(server.base_url, breaker=breaker, concurrency=4, error_policy=policy)
        assert bench.run(spec, runtime=fast.runtime()) == 4
    assert 0 < len(bench.predictions) <= most + 4  # and what was in flight
    assert "samples failed" in bench.events("fatal")[0]["message"]
    assert fast.now < 25


def test_an_outage_that_is_to_be_sat_out_says_what_is_left(bench: Bench) -> None:
    bench.write_samples(samples(20))
    fast = SpedUp()
    with FaultServer(everything=status(503)) as server:
        spec = bench.http(server.base_url, breaker=BreakerPolicy(failures=4, cooldown_s=10), concurrency=4)
        assert bench.run(spec, runtime=fast.runtime()) == 0
        failed = bench.summary.errors["connection"]
        warnings = bench.events("warning")
        told = warnings[-1]["message"]
        assert told.startswith(f"{failed} of 20 samples failed because nobody could be reached")
        assert "the same command asks them again" in told
        server.everything = None
        assert bench.run(spec, runtime=SpedUp().runtime()) == 0
    assert bench.summary.counts.ok == 20
    assert bench.events("warning") == warnings  # of both runs
