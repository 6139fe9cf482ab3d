"""The circuit breaker, against a clock that only moves when told."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from vlmhb_stages.infer.breaker import Breaker, Pass
from vlmhb_stages.specs import BreakerPolicy

POLICY = BreakerPolicy(failures=3, cooldown_s=10, max_cooldown_s=35, probes=1)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    policy: BreakerPolicy = POLICY
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.breaker = Breaker(self.policy, clock=self.clock)

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            self.breaker.fail(self.breaker.enter())


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not() -> None:
    bench = Bench()
    bench.fail(2)
    bench.breaker.succeed(bench.breaker.enter())
    bench.fail(2)
    assert bench.breaker.state == "closed"
    assert bench.breaker.fail(bench.breaker.enter()) is True
    assert bench.breaker.state == "open" and not bench.breaker.admits
    assert bench.breaker.ready_in_s == 10


def test_after_the_cool_down_one_probe_may_try() -> None:
    bench = Bench()
    bench.fail(3)
    bench.clock.now += 9.9
    assert not bench.breaker.admits
    bench.clock.now += 0.1
    assert bench.breaker.state == "half-open" and bench.breaker.admits
    probe = bench.breaker.enter()
    assert not bench.breaker.admits
    assert bench.breaker.succeed(probe) is True
    assert bench.breaker.state == "closed" and bench.breaker.down_since is None


def test_each_probe_that_fails_doubles_the_cool_down_up_to_the_most() -> None:
    bench = Bench()
    bench.fail(3)
    waits = []
    for _ in range(4):
        wait = bench.breaker.ready_in_s
        assert wait is not None
        waits.append(wait)
        bench.clock.now += wait
        assert bench.breaker.admits
        bench.fail()
    assert waits == [10, 20, 35, 35]
    assert bench.breaker.down_since == 100.0
    bench.clock.now += 35
    assert bench.breaker.admits
    bench.breaker.succeed(bench.breaker.enter())
    bench.fail(3)
    assert bench.breaker.ready_in_s == 10


def test_what_was_sent_before_it_opened_tells_nothing_any_more() -> None:
    bench = Bench()
    early = [bench.breaker.enter() for _ in range(5)]
    for leave in early[:3]:
        bench.breaker.fail(leave)
    assert bench.breaker.succeed(early[3]) is False and bench.breaker.state == "open"
    bench.clock.now += 10
    assert bench.breaker.admits
    assert bench.breaker.fail(early[4]) is False and bench.breaker.state == "half-open"


def test_a_probe_that_tells_nothing_makes_room_for_another() -> None:
    bench = Bench()
    bench.fail(3)
    bench.clock.now += 10
    assert bench.breaker.admits
    probe = bench.breaker.enter()
    assert not bench.breaker.admits
    bench.breaker.abstain(probe)
    assert bench.breaker.admits


def test_the_cool_down_can_be_ended() -> None:
    bench = Bench()
    bench.fail(3)
    bench.breaker.hasten()
    assert bench.breaker.state == "half-open"


@given(
    steps=st.lists(st.sampled_from(["enter", "succeed", "fail", "abstain", "wait"]), max_size=200),
    failures=st.integers(1, 4),
    probes=st.integers(1, 3),
)
def test_whatever_happens_it_keeps_its_rules(steps: list[str], failures: int, probes: int) -> None:
    """At most `probes` in flight while half-open, none sent while open, and never stuck for longer than the most."""
    policy = BreakerPolicy(failures=failures, cooldown_s=1, max_cooldown_s=8, probes=probes)
    bench = Bench(policy=policy)
    breaker = bench.breaker
    flying: list[Pass] = []
    for step in steps:
        if step == "wait":
            bench.clock.now += 0.5
        elif step == "enter":
            if breaker.admits:
                flying.append(breaker.enter())
        elif flying:
            leave = flying.pop(0)
            {"succeed": breaker.succeed, "fail": breaker.fail, "abstain": breaker.abstain}[step](leave)
        state = breaker.state
        probing = sum(not breaker.is_stale(leave) for leave in flying)
        assert state != "half-open" or probing <= probes
        assert state != "open" or (not breaker.admits and probing == 0)
        assert (breaker.down_since is None) == (state == "closed")
        ready = breaker.ready_in_s
        assert ready is None or 0 <= ready <= 8
    for leave in flying:
        breaker.abstain(leave)
    bench.clock.now += 8
    assert breaker.admits
