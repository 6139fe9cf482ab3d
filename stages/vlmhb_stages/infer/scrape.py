"""Reads a model server's own counters while it is asked: cache use, preemptions, queues. Off the hot path.

Names as vLLM (docs: "Production Metrics") and SGLang (docs: "Production Metrics", with `--enable-metrics`) publish them
in Prometheus' text format. Counters are taken as differences, so that what a server did for others before counts not.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

EVERY_S = 5.0

# What the summary calls it, by the names that servers give it, newest first: the first that is there counts.
PEAKS: dict[str, tuple[str, ...]] = {
    "kv_cache_peak": ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "sglang:token_usage"),  # 0..1
    "running_peak": ("vllm:num_requests_running", "sglang:num_running_reqs"),
    "waiting_peak": ("vllm:num_requests_waiting", "sglang:num_queue_reqs"),
}
COUNTERS: dict[str, tuple[str, ...]] = {
    "preemptions": ("vllm:num_preemptions_total", "sglang:num_retracted_requests_total"),
    "generation_tokens": ("vllm:generation_tokens_total", "sglang:generation_tokens_total"),
    "prompt_tokens": ("vllm:prompt_tokens_total", "sglang:prompt_tokens_total"),
}
_ASKED = (
    "vllm:prefix_cache_queries_total",
    "vllm:gpu_prefix_cache_queries_total",
    "sglang:prompt_tokens_total",
)
_HITS = ("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total", "sglang:cached_tokens_total")
_LINE = re.compile(r"([A-Za-z_:][\w:]*)(?:\{.*\})?\s+(\S+)(?:\s+-?\d+)?\s*")


class Scraped(Protocol):
    """A server with counters."""

    async def metrics(self) -> str | None:
        """Prometheus text; None where there is none, or nobody answers."""


def read_metrics(text: str) -> dict[str, float]:
    """Values by name, summed over their labels (engines, ranks); usages are a share, so the largest counts.

    Lines that are none of the format are left out."""
    values: dict[str, float] = {}
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        try:
            value = float(found[2])
        except ValueError:
            continue
        if math.isfinite(value):
            name = found[1]
            before = values.get(name, 0.0)
            values[name] = max(before, value) if name in PEAKS["kv_cache_peak"] else before + value
    return values


class EngineCounters:
    """What one server's counters have shown so far. A server that starts anew begins at 0 again."""

    def __init__(self) -> None:
        self._last: dict[str, float] | None = None
        self._peaks: dict[str, float] = {}
        self._grown: dict[str, float] = {}

    def feed(self, values: Mapping[str, float]) -> None:
        for key, names in PEAKS.items():
            value = _first(values, names)
            if value is not None:
                self._peaks[key] = max(value, self._peaks.get(key, 0.0))
        for key, names in (*COUNTERS.items(), ("_asked", _ASKED), ("_hits", _HITS)):
            value = _first(values, names)
            if value is None:
                continue
            before = _first(self._last, names) if self._last is not None else value
            grown = value - before if before is not None and value >= before else value
            self._grown[key] = self._grown.get(key, 0.0) + grown
        self._last = dict(values)

    @property
    def peaks(self) -> Mapping[str, float]:
        return self._peaks

    @property
    def grown(self) -> Mapping[str, float]:
        return self._grown


class EngineWatch:
    """The counters of all servers of a stage: peaks are the highest of any one, counts are summed."""

    def __init__(self, servers: Sequence[Scraped]) -> None:
        self._servers = tuple(servers)
        self._counters = [EngineCounters() for _ in self._servers]

    async def look(self) -> None:
        texts = await asyncio.gather(*(server.metrics() for server in self._servers))
        for text, counters in zip(texts, self._counters, strict=True):
            if text is not None:
                counters.feed(read_metrics(text))

    @property
    def summary(self) -> dict[str, float]:
        """For `InferSummary.engine`; empty when no server has counters."""
        found: dict[str, float] = {}
        for counters in self._counters:
            for key, value in counters.peaks.items():
                found[key] = max(value, found.get(key, 0.0))
            for key, value in counters.grown.items():
                found[key] = found.get(key, 0.0) + value
        asked, hits = found.pop("_asked", 0.0), found.pop("_hits", None)
        if asked and hits is not None:
            found["prefix_cache_hit_rate"] = round(hits / asked, 6)
        return found


@asynccontextmanager
async def watched(
    servers: Sequence[Scraped], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncIterator[EngineWatch]:
    """Looks at the start and every `EVERY_S` seconds; who leaves it may look once more."""
    watch = EngineWatch(servers)

    async def keep_looking() -> None:
        while True:
            await watch.look()
            await sleep(EVERY_S)

    task = asyncio.create_task(keep_looking())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.wait({task})


def _first(values: Mapping[str, float], names: Sequence[str]) -> float | None:
    return next((values[name] for name in names if name in values), None)
