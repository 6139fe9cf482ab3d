"""Issue 4: measured TTFT, TPOT, ITL and latency are within 2 % or 2 ms of the truth, and percentiles are right.

The server is a process of its own and keeps its delays from the start of each request, the driver another one. Medians
over the samples, and three tries: the machine may have other things to do in between. A wrong clock fails all of them.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from vlmhb_stages.contracts import Counts, InferSummary, Message, Prediction, Sample
from vlmhb_stages.report.model import EvaluationInfo, Performance
from vlmhb_stages.report.performance import active_seconds, performance
from vlmhb_stages.report.read import Reader
from vlmhb_stages.report.timings import Timings

SERVER = Path(__file__).with_name("timing_server.py")
REPEATS = 5
TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the server does. `running`: it tells its count of tokens with every piece, when asked."""

    first_s: float
    gap_s: float
    pieces: int
    tokens: int = 1
    tail_s: float = 0.0
    running: bool = True

    @property
    def output_tokens(self) -> int:
        return self.pieces * self.tokens

    @property
    def latency_s(self) -> float:
        return self.first_s + (self.pieces - 1) * self.gap_s + self.tail_s

    @property
    def tpot_s(self) -> float:
        return (self.latency_s - self.first_s) / (self.output_tokens - 1)


@dataclass
class World:
    root: Path

    @property
    def socket(self) -> Path:
        return self.root / "model.sock"

    def run(self, plans: list[Plan], **changes: Any) -> list[Prediction]:
        """One sample for each plan, in order; nothing is left of a run before."""
        shutil.rmtree(self.root / "out", ignore_errors=True)
        for folder in ("in/inputs", "in/media", "out"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        lines = []
        for number, plan in enumerate(plans):
            message = Message(role="user", content=json.dumps(vars(plan)))
            lines.append(Sample(sample_id=f"s{number:03}", messages=(message,)).model_dump_json())
        (self.root / "in/inputs/samples.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        spec = {
            "stage": "infer",
            "backend": {"kind": "socket", "sockets": [str(self.socket)]},
            "model": "m",
            "model_identity": "id",
            "mode": "benchmark",
            **changes,
        }
        (self.root / "spec.json").write_text(json.dumps(spec))
        argv = [sys.executable, "-m", "vlmhb_stages", "infer"]
        subprocess.run(argv, check=True, env={**os.environ, "VLMHB_ROOT": str(self.root)}, timeout=120)
        records = (self.root / "out/predictions.jsonl").read_text(encoding="utf-8").splitlines()
        return [Prediction.model_validate_json(line) for line in records]

    def report(self, records: list[Prediction]) -> Performance:
        timings = Timings()
        for record in records:
            timings.add(record)
        summary = InferSummary(counts=Counts(planned=len(records), ok=len(records), error=0))
        active_s = active_seconds(self.root / "out/attempts.jsonl", reader=Reader(), summary=None)
        return performance(timings, active_s=active_s, summary=summary, info=EvaluationInfo())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    server = subprocess.Popen([sys.executable, str(SERVER), str(world.socket)])
    try:
        deadline = time.monotonic() + 20
        while not world.socket.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        yield world
    finally:
        server.kill()
        server.wait()


def off(measured: float, truth: float) -> float:
    """How far a time is from the truth, in units of what is allowed: 2 % or 2 ms, whichever is larger."""
    return abs(measured - truth) / max(0.02 * truth, 0.002)


def middle(values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    assert len(known) == len(values), "not measured for every answer"
    return statistics.median(known)


def fewest_errors(measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What is out of bounds in the best of three tries."""
    tries = []
    for _ in range(TRIES):
        tries.append({name: value for name, value in measure().items() if value > 1})
        if not tries[-1]:
            break
    return min(tries, key=len)


@pytest.mark.parametrize(
    "plan",
    [
        Plan(first_s=0.4, gap_s=0.1, pieces=9),
        Plan(first_s=0.3, gap_s=0.25, pieces=5, tokens=5),
        Plan(first_s=0.3, gap_s=0.25, pieces=5, tokens=5, running=False),
        Plan(first_s=0.4, gap_s=0.15, pieces=4, tokens=3, tail_s=0.3),
    ],
    ids=["one token a piece", "five tokens a piece", "five tokens, not told", "a late end"],
)
def test_times_of_a_request_are_true(world: World, plan: Plan) -> None:
    per_token = plan.gap_s / plan.tokens
    if not plan.running:  # only the mean is known: output tokens after the first over gaps between pieces
        per_token = plan.gap_s * (plan.pieces - 1) / (plan.output_tokens - 1)

    def measure() -> dict[str, float]:
        records = world.run([plan] * REPEATS)
        assert {record.output_tokens for record in records} == {plan.output_tokens}
        itl = world.report(records).itl_s
        assert itl is not None
        return {
            "ttft": off(middle([record.ttft_s for record in records]), plan.first_s),
            "latency": off(middle([record.latency_s for record in records]), plan.latency_s),
            "tpot": off(middle([record.tpot_s for record in records]), plan.tpot_s),
            "itl": off(itl.p50, per_token),
        }

    assert fewest_errors(measure) == {}


def test_itl_is_not_the_gap_between_chunks(world: World) -> None:
    """The trap of load testers: five tokens a chunk make their ITL five times the TPOT."""
    plan = Plan(first_s=0.1, gap_s=0.25, pieces=5, tokens=5)

    def measure() -> dict[str, float]:
        found = world.report(world.run([plan] * 3))
        assert found.itl_s is not None and found.tpot_s is not None
        assert found.itl_s.n == 3 * (plan.output_tokens - plan.tokens)
        return {"itl": off(found.itl_s.p50, 0.05), "tpot": off(found.tpot_s.p50, plan.tpot_s)}

    assert fewest_errors(measure) == {}


def test_percentiles_of_a_known_distribution(world: World) -> None:
    """Twenty delays 60 ms apart, in no order: rank ceil(n p / 100) of them. A wrong rank is 60 ms off."""
    delays = [0.06 * (1 + (number * 7) % 20) for number in range(20)]
    plans = [Plan(first_s=delay, gap_s=0.1, pieces=2) for delay in delays]
    truth = {"p50": 0.06 * 10, "p90": 0.06 * 18, "p95": 0.06 * 19, "p99": 0.06 * 20}

    def measure() -> dict[str, float]:
        found = world.report(world.run(plans, concurrency=4))
        assert found.ttft_s is not None and found.latency_s is not None
        assert (found.ttft_s.n, found.measured) == (20, 20)
        late = {f"ttft {name}": getattr(found.ttft_s, name) - value for name, value in truth.items()}
        late |= {
            f"latency {name}": getattr(found.latency_s, name) - value - 0.1 for name, value in truth.items()
        }
        return {name: abs(value) / 0.03 for name, value in late.items()}

    assert fewest_errors(measure) == {}


def test_throughput_is_answers_over_the_time_they_took(world: World) -> None:
    plan = Plan(first_s=0.2, gap_s=0.1, pieces=3)
    records = world.run([plan] * 8, concurrency=4)
    found = world.report(records)
    assert found.requests_per_s is not None and found.output_tokens_per_s is not None
    assert found.requests_per_s <= 8 / (2 * plan.latency_s)
    assert found.requests_per_s == pytest.approx(8 / (2 * plan.latency_s), rel=0.3)  # it had to start as well
    assert found.output_tokens_per_s == pytest.approx(3 * found.requests_per_s, rel=1e-3)


def test_warm_up_keeps_a_slow_first_answer_out(world: World) -> None:
    records = world.run([Plan(first_s=0.05, gap_s=0.02, pieces=3)] * 3, warmup=2)
    summary = InferSummary.model_validate_json((world.root / "out/summary.json").read_bytes())
    assert (summary.warmup, len(records)) == (2, 3)
