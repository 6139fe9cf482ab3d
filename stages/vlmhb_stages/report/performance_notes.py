"""What a reader has to know before believing the performance figures of an evaluation, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from vlmhb_stages.report.model import Performance
from vlmhb_stages.report.timings import Timings
from vlmhb_stages.specs import Slo

ENOUGH = 100  # values, from which on p99 is more than the largest one


def notes(performance: Performance, *, timings: Timings) -> tuple[str, ...]:
    return tuple(_notes(performance, timings)) if timings.measured else ()


def _notes(performance: Performance, timings: Timings) -> Iterator[str]:
    latency = performance.latency_s
    if performance.mode == "benchmark":
        yield "Benchmark mode: one request at a time, so latencies are those of an idle server."
    elif performance.mode == "throughput":
        yield "Throughput mode: latencies include what requests in flight at the same time cost each other."
    if performance.warmup:
        yield f"Warm-up: {performance.warmup} requests before the measured ones, not counted in any figure."
    if latency is not None and latency.n < ENOUGH:
        yield (
            f"Only {latency.n} answers were timed: p99 is the slowest of them, and the tail may be anything."
        )
    if timings.stand_ins:
        yield f"Times and tokens of fallbacks are in these figures: {_of(timings.stand_ins, timings)}."
    unstreamed = timings.measured - len(timings.ttft)
    if unstreamed and latency is not None:
        yield f"TTFT was not measured for {_of(unstreamed, timings)}: they were not streamed."
    yield from _token_notes(timings)
    if timings.slo != Slo() and timings.undecided:
        unknown = _of(timings.undecided, timings)
        yield f"Goodput is not known: a time that the SLO limits was not measured for {unknown}."


def _token_notes(timings: Timings) -> Iterator[str]:
    counted = {name: number for name, number in timings.tokens_from.items() if name != "nobody"}
    if len(counted) > 1:
        yield f"Tokens were counted by {', '.join(f'{name} ({n})' for name, n in sorted(counted.items()))}."
    elif counted and next(iter(counted)) == "tokenizer":
        yield "Tokens were counted by our own server with the model's tokenizer."
    if counted and timings.uncounted:
        yield f"Output tokens per second are not known: nobody counted {_of(timings.uncounted, timings)}."


def _of(count: int, timings: Timings) -> str:
    return "all answers" if count == timings.measured else f"{count} of {timings.measured} answers"
