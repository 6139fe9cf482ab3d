"""Warm-up, active time and the server's own counters, from the driver to its summary."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from infer_bench import Bench, sample, samples
from infer_faults import FaultServer, proper, status
from vlmhb_stages.contracts import SampleError
from vlmhb_stages.infer import exchange

COUNTERS = "vllm:generation_tokens_total 5\nvllm:kv_cache_usage_perc 0.4\nvllm:num_preemptions_total 1\n"


def test_warm_up_is_sent_first_and_recorded_nowhere_but_in_the_summary(bench: Bench) -> None:
    bench.write_samples(samples(5))
    with FaultServer() as server:
        assert bench.run(bench.http(server.base_url, warmup=3, concurrency=2)) == 0
    assert sorted(asked.sample_id for asked in server.asked[:3]) == ["s0", "s1", "s2"]
    assert len(server.asked) == 8
    assert len(bench.attempts) == len(bench.predictions) == 5
    assert bench.summary.warmup == 3
    assert bench.summary.counts.ok == 5


def test_more_warm_up_than_samples_begins_again(bench: Bench) -> None:
    unusable = sample("s1", error=SampleError(kind="bad_image", message="no"))
    bench.write_samples([sample("s0"), unusable])
    with FaultServer() as server:
        assert bench.run(bench.http(server.base_url, warmup=4)) == 0
    assert server.counts == {"s0": 5}
    assert bench.summary.warmup == 4


def test_a_start_with_nothing_to_ask_warms_nothing_up(bench: Bench) -> None:
    bench.write_samples(samples(2))
    with FaultServer() as server:
        spec = bench.http(server.base_url, warmup=2)
        assert bench.run(spec) == 0
        assert bench.run(spec) == 0
    assert len(server.asked) == 4
    assert bench.summary.warmup == 2


def test_a_warm_up_that_fails_is_no_error(bench: Bench) -> None:
    bench.write_samples(samples(1))
    with FaultServer(script={"s0": [status(400), status(400)]}) as server:
        assert bench.run(bench.http(server.base_url, warmup=2)) == 0
    assert bench.predictions[0].status == "ok" and bench.events("warning") == []
    assert len(server.asked) == 3


def test_active_time_is_that_of_all_starts(bench: Bench) -> None:
    bench.write_samples(samples(3))
    with FaultServer(delay_s=0.1, always={"s2": status(500)}) as server:
        assert bench.run(bench.http(server.base_url)) == 0
        first = bench.summary.active
        server.always.clear()
        assert bench.run(bench.http(server.base_url)) == 0
    seconds = sum(end - start for start, end in bench.summary.active)
    assert len(first) == 1 and first[0][1] - first[0][0] >= 0.2
    assert bench.summary.active[0][0] == first[0][0]
    assert seconds >= 0.3


@pytest.mark.parametrize("own", [True, False])
def test_counters_of_our_own_server_are_read(bench: Bench, own: bool) -> None:
    bench.write_samples(samples(2))
    socket = bench.socket if own else None

    async def counting(server: FaultServer, request: Any, asked: Any) -> Any:
        server.metrics = COUNTERS.replace("total 5", "total 25").replace("0.4", "0.8")
        return await proper(server, request, asked)

    with FaultServer(socket_path=socket, metrics=COUNTERS, everything=counting) as server:
        spec = bench.own() if own else bench.http(server.base_url)  # a server on loopback runs here for us
        assert bench.run(spec) == 0
    assert server.scrapes == 2
    assert bench.summary.engine == {"kv_cache_peak": 0.8, "preemptions": 0.0, "generation_tokens": 20.0}


def test_a_server_without_counters_is_no_trouble(bench: Bench) -> None:
    bench.write_samples(samples(1))
    with FaultServer(socket_path=bench.socket):
        assert bench.run(bench.own()) == 0
    assert bench.summary.engine == {}


def test_a_server_of_ours_says_that_it_does_not_stream(bench: Bench) -> None:
    """Its events come one after the other, but the first of them has no time of its own."""
    bench.write_samples(samples(1))

    async def whole(server: FaultServer, request: Any, asked: Any) -> Any:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", exchange.WHOLE: "whole", "Server": "vlmhb"}
        )
        await response.prepare(request)
        for line in (
            b'data: {"choices":[{"delta":{"content":"page"}}]}\n\n',
            b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
            b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n',
            b"data: [DONE]\n\n",
        ):
            await response.write(line)
            await asyncio.sleep(0.02)
        return response

    with FaultServer(everything=whole) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    record = bench.predictions[0]
    assert (record.text, record.ttft_s, record.tpot_s, record.itl) == ("page", None, None, None)
    assert record.latency_s is not None and record.latency_s >= 0.04
    assert record.tokens_from == "tokenizer"
