"""Each place in its own manner: a fallback has its own windows, limits, attempts, breaker, images and decoding."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from typing import Any

import pytest
from infer_bench import QUICK, Bench, SpedUp, sample, samples
from infer_faults import FaultServer, hang, status
from test_infer_adjust import OVERFLOW, page, wider_than, width_of
from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer.budget import GrantedPurse, Ledger
from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.prices import Load
from vlmhb_stages.infer.rate import RateWindow
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.infer.throttle import Throttle
from vlmhb_stages.infer.toll import Toll
from vlmhb_stages.specs import BreakerPolicy, Decoding, HttpBackend, Manner, Price, RateLimit, Target

BROKEN = BreakerPolicy(failures=1, cooldown_s=600)


def fallback(server: FaultServer, *, name: str = "second", **manner: Any) -> Target:
    return Target(
        name=name,
        backend=HttpBackend(base_url=server.base_url),
        model="other",
        model_identity="id-2",
        manner=Manner(**{"retry": QUICK, **manner}),
    )


def test_a_fallback_never_has_more_in_flight_than_its_own_card_allows(bench: Bench) -> None:
    bench.write_samples(samples(30))
    with FaultServer(everything=status(500)) as first, FaultServer(delay_s=0.01) as second:
        spec = bench.http(
            first.base_url, concurrency=8, breaker=BROKEN, fallbacks=(fallback(second, concurrency=2),)
        )
        assert bench.run(spec) == 0
    assert {record.fallback for record in bench.predictions} == {"second"}
    assert second.most_in_flight == 2


def test_it_is_asked_with_its_own_decoding(bench: Bench) -> None:
    bench.write_samples(samples(1))
    with FaultServer(everything=status(500)) as first, FaultServer() as second:
        own = Decoding(temperature=0.5, max_tokens=7)
        spec = bench.http(
            first.base_url, decoding=Decoding(max_tokens=99), fallbacks=(fallback(second, decoding=own),)
        )
        assert bench.run(spec) == 0
    assert first.asked[0].body["max_tokens"] == 99 and first.asked[0].body["temperature"] == 0.0
    assert second.asked[0].body["max_tokens"] == 7 and second.asked[0].body["temperature"] == 0.5


def test_it_has_its_own_attempts_time_limits_and_breaker(bench: Bench) -> None:
    bench.write_samples(samples(4))
    short = QUICK.model_copy(update={"attempts": 1, "timeout_first_token_s": 0.2, "timeout_total_s": 0.4})
    with ExitStack() as stack:
        first = stack.enter_context(FaultServer(everything=status(500)))
        second = stack.enter_context(FaultServer(everything=hang))
        third = stack.enter_context(FaultServer())
        spec = bench.http(
            first.base_url,
            breaker=BreakerPolicy(failures=100),
            fallbacks=(fallback(second, name="b", retry=short, breaker=BROKEN), fallback(third, name="c")),
        )
        assert bench.run(spec) == 0
    assert set(first.counts.values()) == {3}
    assert len(second.asked) == 1  # one attempt, which opened its breaker
    assert {record.fallback for record in bench.predictions} == {"c"}


def test_it_gets_the_images_in_the_size_that_it_takes(bench: Bench) -> None:
    bench.write_samples([sample("s0", page(bench)), sample("s1", page(bench))])
    with ExitStack() as stack:
        first, second = (stack.enter_context(FaultServer(everything=status(500))) for _ in range(2))
        third = stack.enter_context(FaultServer())
        spec = bench.http(
            first.base_url,
            max_image_side=150,
            fallbacks=(fallback(second, name="b", max_image_side=60), fallback(third, name="c")),
        )
        assert bench.run(spec) == 0
    assert {width_of(asked.body) for asked in first.asked} == {150}
    assert {width_of(asked.body) for asked in second.asked} == {60}
    assert {width_of(asked.body) for asked in third.asked} == {200}
    assert {record.status for record in bench.predictions} == {"ok"}


def test_it_may_shrink_what_the_first_may_not(bench: Bench) -> None:
    bench.write_samples([sample("s0", page(bench))])
    with (
        FaultServer(everything=status(500)) as first,
        FaultServer(everything=wider_than(150, 400, OVERFLOW)) as second,
    ):
        told = fallback(second, overflow=("shrink_images",))
        assert bench.run(bench.http(first.base_url, fallbacks=(told,))) == 0
    assert (bench.by_id["s0"].status, bench.by_id["s0"].adjusted) == ("ok", ("images at 70 %",))


def test_without_a_manner_of_its_own_it_is_asked_as_the_first(bench: Bench) -> None:
    bench.write_samples([sample("s0", page(bench))])
    with FaultServer(everything=status(500)) as first, FaultServer() as second:
        told = fallback(second).model_copy(update={"manner": None})
        spec = bench.http(first.base_url, max_image_side=80, fallbacks=(told,))
        assert bench.run(spec) == 0
    assert width_of(second.asked[0].body) == 80


# --- money and rate limits ---------------------------------------------------------------------------


class Counter:
    """A throttle of two requests a minute and a purse, as a tier puts them together."""

    def __init__(self, bench: Bench, fast: SpedUp) -> None:
        self.halt = Halt()
        self.control = bench.root / "control"
        self.events = EventWriter(bench.root / "out/events.jsonl")
        self.ledger = Ledger()
        runtime = Runtime(sleep=fast.sleep, monotonic=lambda: fast.now)
        self.throttle = Throttle(
            RateWindow(RateLimit(requests_per_minute=2)), halt=self.halt, runtime=runtime
        )
        purse = GrantedPurse(
            self.ledger, control=self.control, events=self.events, halt=self.halt, clock=runtime.monotonic
        )
        self.toll = Toll(purse=purse, price=Price(per_request=1.0), decoding=Decoding())
        self.entries: list[float] = []

    def grant(self, amount: float) -> None:
        (self.control / "new").write_text(json.dumps({"granted": amount}))
        (self.control / "new").replace(self.control / "budget.json")

    async def send(self) -> None:
        async with self.throttle.turn(1.0) as take, self.toll.paid(Load(text_bytes=0, messages=0)) as payment:
            self.entries.append((await take()).at)
            payment.is_sent = True


def test_a_request_that_waits_for_money_takes_nothing_of_the_minute(bench: Bench) -> None:
    fast = SpedUp()

    async def work() -> None:
        counter = Counter(bench, fast)
        waiting = [asyncio.create_task(counter.send()) for _ in range(3)]
        await asyncio.sleep(0.05)
        fast.now = 1000.0  # all that time without money
        counter.grant(3.0)
        await asyncio.wait_for(asyncio.gather(*waiting), 10)
        assert counter.entries[:2] == [1000.0, 1000.0]  # none of them was counted at 0
        assert counter.entries[2] == pytest.approx(1060.0, abs=0.1)
        counter.events.close()

    asyncio.run(work())


def test_a_request_that_was_never_sent_costs_nothing(bench: Bench) -> None:
    """It has its money and waits for the rate limit when everything is stopped."""
    fast = SpedUp()

    async def work() -> None:
        counter = Counter(bench, fast)
        counter.grant(9.0)
        await counter.send()
        async with counter.throttle.turn(1.0), counter.toll.paid(Load(text_bytes=0, messages=0)):
            assert counter.ledger.reserved == 1.0
        assert (counter.ledger.reserved, counter.ledger.spent) == (0.0, 1.0)
        counter.events.close()

    asyncio.run(work())


def test_a_budget_that_ends_in_the_line_of_a_rate_limit_ends_the_run(bench: Bench) -> None:
    bench.write_samples(samples(12))
    (bench.root / "control/budget.json").write_text('{"granted": 5.0, "final": true}')
    fast = SpedUp()
    with FaultServer() as server:
        spec = bench.http(
            server.base_url,
            concurrency=8,
            rate={"requests_per_minute": 3},
            price={"per_request": 1.0},
            budget={},
        )
        assert bench.run(spec, runtime=fast.runtime()) == 7
    assert len(server.asked) == 5 and bench.summary.spent == 5.0
