"""Error policies under load: 1,000 samples, 64 in flight, and exactly as many errors as are tolerated."""

from __future__ import annotations

import pytest
from infer_bench import Bench, samples
from infer_faults import FaultServer, status

SAMPLES, CONCURRENCY = 1000, 64
BROKEN = {f"s{number}": status(404) for number in range(0, SAMPLES, 50)}  # 20: 2 %


@pytest.mark.parametrize(
    ("policy", "code", "errors"),
    [("stop", 4, 1), ("tolerate: 1%", 4, 11), ("tolerate:2%", 0, 20), ("continue", 0, 20)],
)
def test_under_load(bench: Bench, policy: str, code: int, errors: int) -> None:
    bench.write_samples(samples(SAMPLES))
    with FaultServer(always=dict(BROKEN), delay_s=0.005) as server:
        assert bench.run(bench.http(server.base_url, error_policy=policy, concurrency=CONCURRENCY)) == code
        failed = [record for record in bench.predictions if record.status == "error"]
        # what was in flight when the limit was passed may add to it, nothing that was started afterwards
        assert errors <= len(failed) <= errors + CONCURRENCY * len(BROKEN) // SAMPLES + 2
        assert {record.error.kind for record in failed if record.error} == {"server_error"}
        assert len(server.asked) == len(bench.predictions) == len(server.counts)
        assert len(bench.events("fatal")) == (1 if code else 0)
        if code == 0:
            assert len(bench.predictions) == SAMPLES and len(failed) == 20
            return
        assert "VHB501" in bench.events("fatal")[0]["code"]
        asked = len(server.asked)
        server.always.clear()
        assert bench.run(bench.http(server.base_url, error_policy=policy, concurrency=CONCURRENCY)) == 0
    assert len(server.asked) == asked + SAMPLES - asked + len(failed)  # the rest, and the failed ones again
    assert {record.status for record in bench.predictions} == {"ok"}


@pytest.mark.parametrize("code", [401, 402, 403])
def test_a_server_that_refuses_us_is_not_asked_for_every_sample(bench: Bench, code: int) -> None:
    bench.write_samples(samples(100))
    with FaultServer(everything=status(code, "who are you?")) as server:
        spec = bench.http(server.base_url, error_policy="continue", concurrency=1)
        assert bench.run(spec) == 4
        assert len(server.asked) == 3
        (fatal,) = bench.events("fatal")
        assert f"HTTP {code}: who are you?" in fatal["message"] and "API key" in fatal["hint"]
        server.everything = None
        assert bench.run(spec) == 0
    assert {record.status for record in bench.predictions} == {"ok"}


def test_a_refusal_of_single_samples_is_theirs(bench: Bench) -> None:
    bench.write_samples(samples(20))
    refused = {f"s{number}": status(403, "moderated") for number in (1, 2, 3, 4, 5)}
    with FaultServer(always=refused) as server:
        assert bench.run(bench.http(server.base_url, error_policy="continue", concurrency=1)) == 0
    assert sum(record.status == "error" for record in bench.predictions) == 5
