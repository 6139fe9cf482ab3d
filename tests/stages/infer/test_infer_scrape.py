"""Counters of vLLM and SGLang, as their documentation shows them, and what is made of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from vlmhb_stages.infer.scrape import EngineWatch, read_metrics, watched

VLLM = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="m"}} {running}
vllm:num_requests_waiting{{engine="0",model_name="m"}} 2.0
vllm:kv_cache_usage_perc{{engine="0",model_name="m"}} {cache}
vllm:kv_cache_usage_perc{{engine="1",model_name="m"}} 0.01
vllm:prefix_cache_queries_total{{engine="0",model_name="m"}} {asked}
vllm:prefix_cache_hits_total{{engine="0",model_name="m"}} {hits}
vllm:num_preemptions_total{{engine="0",model_name="m"}} {preempted}
vllm:generation_tokens_total{{engine="0",model_name="m"}} {tokens}
vllm:request_success_total{{finished_reason="stop, \\"x\\"",model_name="m"}} 1.0
vllm:time_to_first_token_seconds_bucket{{le="+Inf",model_name="m"}} 3.0
"""
SGLANG = """# TYPE sglang:token_usage gauge
sglang:token_usage{model_name="meta-llama/Llama-3.1-8B-Instruct"} 0.28
sglang:cache_hit_rate{model_name="meta-llama/Llama-3.1-8B-Instruct"} 0.007507552643049313
sglang:num_running_reqs{model_name="x"} 162.0
sglang:num_queue_reqs{model_name="x"} 2826.0
sglang:generation_tokens_total{model_name="x"} 7.557572e+06
"""


def vllm(
    *,
    running: int = 1,
    cache: float = 0.1,
    asked: int = 0,
    hits: int = 0,
    preempted: int = 0,
    tokens: int = 0,
) -> str:
    return VLLM.format(
        running=running, cache=cache, asked=asked, hits=hits, preempted=preempted, tokens=tokens
    )


@dataclass
class Server:
    """Gives one text after the other; the last one stays."""

    texts: list[str | None] = field(default_factory=list)
    asked: int = 0

    async def metrics(self) -> str | None:
        self.asked += 1
        return self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]


def looked(*servers: Server, times: int) -> dict[str, float]:
    async def look() -> dict[str, float]:
        watch = EngineWatch(servers)
        for _ in range(times):
            await watch.look()
        return watch.summary

    return asyncio.run(look())


def test_what_stood_in_the_counters_before_counts_not() -> None:
    first = vllm(asked=1000, hits=900, tokens=70_000, preempted=5)
    then = vllm(running=9, cache=0.93, asked=1400, hits=1000, tokens=70_500, preempted=7)
    last = vllm(running=0, cache=0.0, asked=1400, hits=1000, tokens=71_000, preempted=7)
    assert looked(Server([first, then, last]), times=3) == {
        "kv_cache_peak": 0.93,
        "running_peak": 9.0,
        "waiting_peak": 2.0,
        "preemptions": 2.0,
        "generation_tokens": 1000.0,
        "prefix_cache_hit_rate": 0.25,
    }


def test_a_server_that_starts_anew_counts_from_zero() -> None:
    texts: list[str | None] = [vllm(tokens=100), vllm(tokens=150), None, vllm(tokens=30)]
    assert looked(Server(texts), times=4)["generation_tokens"] == 80.0


def test_replicas_are_added_up() -> None:
    servers = [
        Server([vllm(tokens=0, cache=0.2), vllm(tokens=10, cache=0.2)]),
        Server([vllm(tokens=0), vllm(tokens=5)]),
    ]
    found = looked(*servers, times=2)
    assert (found["generation_tokens"], found["kv_cache_peak"]) == (15.0, 0.2)


def test_names_of_sglang() -> None:
    found = looked(Server([SGLANG]), times=1)
    assert (found["kv_cache_peak"], found["running_peak"], found["waiting_peak"]) == (0.28, 162.0, 2826.0)


def test_a_server_without_counters_has_no_figures() -> None:
    assert looked(Server([None]), times=2) == {}
    assert looked(times=2) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a{x="}"} 1\na{x="y"} 2.5\n', {"a": 3.5}),
        ("a 1 1700000000000\n", {"a": 1.0}),
        ("a NaN\nb +Inf\nc one\n# c 1\n\n<html>\nd\n", {}),
        ("", {}),
    ],
)
def test_a_small_and_tolerant_reader(text: str, expected: dict[str, float]) -> None:
    assert read_metrics(text) == expected


def test_it_looks_at_the_start_and_now_and_then() -> None:
    server = Server([vllm()])
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        await asyncio.sleep(0 if len(naps) < 3 else 3600)

    async def go() -> None:
        async with watched([server], sleep=sleep):
            while len(naps) < 3:
                await asyncio.sleep(0)
            assert server.asked == 3

    asyncio.run(go())
    assert naps == [5.0, 5.0, 5.0]
