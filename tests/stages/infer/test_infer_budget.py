"""Money: reserved before a request is sent, settled after it, never more than was granted, never forgotten."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from infer_bench import QUICK, Bench, SpedUp, samples
from infer_faults import FaultServer, hang, status
from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer.budget import BadSpending, BudgetEnded, FreePurse, GrantedPurse, GrantGone, Ledger
from vlmhb_stages.infer.halt import Halt, Halted
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.specs import Budget, Decoding, Price

COST = 7 * 1.0 + 3 * 2.0  # of each proper answer of the server, at PRICE
PRICE = Price(input=1e6, output=2e6, currency="EUR")
DECODING = Decoding(max_tokens=16)
CEILING = (6 + 16 + 64) * 1.0 + 16 * 2.0  # "ask s1": six bytes, one message


def spending(folder: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((folder / "spending.json").read_bytes())
    return found


def grant(folder: Path, amount: float, *, final: bool = False) -> None:
    (folder / "new").write_text(json.dumps({"granted": amount, "final": final}))
    (folder / "new").replace(folder / "budget.json")


def granted(
    tmp_path: Path, work: Callable[[GrantedPurse, Halt], Coroutine[Any, Any, None]]
) -> list[dict[str, Any]]:
    """Runs `work` with a purse whose grants lie in `tmp_path`; its events."""

    async def run() -> None:
        events = EventWriter(tmp_path / "events.jsonl")
        halt, ledger = Halt(), Ledger(tmp_path / "spending.json")
        clock = asyncio.get_running_loop().time
        await work(GrantedPurse(ledger, control=tmp_path, events=events, halt=halt, clock=clock), halt)
        ledger.close()
        events.close()

    asyncio.run(asyncio.wait_for(run(), 20))
    return [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]


def test_the_ledger_is_on_disk_before_and_after_each_request(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "spending.json")
    purse = FreePurse(ledger)
    first, second = asyncio.run(purse.reserve(2.0)), asyncio.run(purse.reserve(3.0))
    assert spending(tmp_path) == {"spent": 0.0, "reserved": 5.0}
    first.settle(0.5)
    first.settle(9.0)  # the first word counts
    assert spending(tmp_path) == {"spent": 0.5, "reserved": 3.0}
    second.settle(None)  # nobody knows: all of it
    assert spending(tmp_path) == {"spent": 3.5, "reserved": 0.0} and purse.spent == 3.5
    assert (tmp_path / "spending.json").stat().st_size == 120
    ledger.close()


def test_a_request_whose_end_is_unknown_counts_in_full(tmp_path: Path) -> None:
    ledger = Ledger()
    reservation = asyncio.run(FreePurse(ledger).reserve(2.0))
    with pytest.raises(KeyError), reservation:
        raise KeyError
    assert (ledger.spent, ledger.reserved) == (2.0, 0.0)


def test_what_was_reserved_when_a_start_was_killed_counts_as_spent(tmp_path: Path) -> None:
    (tmp_path / "spending.json").write_text('{"spent": 1.5, "reserved": 0.25}')
    ledger = Ledger(tmp_path / "spending.json")
    assert (ledger.spent, ledger.reserved, ledger.lost) == (1.75, 0.0, 0.25)
    assert spending(tmp_path) == {"spent": 1.75, "reserved": 0.0}
    ledger.close()


def test_a_ledger_that_somebody_has_written_in_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spending.json").write_text('{"spent": "much"}')
    with pytest.raises(BadSpending, match="not what the driver writes"):
        Ledger(tmp_path / "spending.json")


KILLED = """
import sys
from pathlib import Path
from vlmhb_stages.infer.budget import Ledger
ledger = Ledger(Path(sys.argv[1]))
while True:
    ledger.reserve(2.0)
    print("sent", flush=True)
    ledger.settle(2.0, 1.0)
    print("paid", flush=True)
"""


def test_money_that_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path, dice, spent = tmp_path / "spending.json", random.Random(5), 0.0
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        told = [writer.stdout.readline() for _ in range(dice.randint(1, 60))]
        os.kill(writer.pid, signal.SIGKILL)
        told += writer.stdout.read().splitlines(keepends=True)
        writer.wait()
        writer.stdout.close()
        paid = sum(line == "paid\n" for line in told)
        found = spending(tmp_path)
        # what was told is there; at most one more step was on its way, and a request in flight counts in full
        assert spent + paid <= found["spent"] <= spent + paid + 1
        assert found["reserved"] in (0.0, 2.0)
        assert found["spent"] + found["reserved"] >= spent + paid + (told[-1] == "sent\n")
        spent = found["spent"] + found["reserved"]


def test_reserving_waits_for_the_host(tmp_path: Path) -> None:
    async def work(purse: GrantedPurse, halt: Halt) -> None:
        waiting = asyncio.ensure_future(purse.reserve(2.0))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        grant(tmp_path, 1.9)
        await asyncio.sleep(0.2)
        assert not waiting.done()
        grant(tmp_path, 2.0)
        (await waiting).settle(0.0)

    events = granted(tmp_path, work)
    assert [event["type"] for event in events] == ["budget"] * len(events)
    assert events[0]["spent"] == events[0]["need"] == 0.0  # the host learns what earlier starts have spent
    assert events[1]["need"] >= 2.0


def test_what_is_not_spent_is_used_for_the_next(tmp_path: Path) -> None:
    async def work(purse: GrantedPurse, halt: Halt) -> None:
        grant(tmp_path, 3.0, final=True)
        first = await purse.reserve(2.0)
        second = asyncio.ensure_future(purse.reserve(2.0))
        await asyncio.sleep(0.1)
        assert not second.done()  # the first may leave enough
        first.settle(1.0)
        (await second).settle(2.0)
        with pytest.raises(BudgetEnded):
            await purse.reserve(0.1)
        (await purse.reserve(0.0)).settle(0.0)

    granted(tmp_path, work)
    assert spending(tmp_path)["spent"] == 3.0


def test_what_can_never_be_paid_ends_at_once(tmp_path: Path) -> None:
    async def work(purse: GrantedPurse, halt: Halt) -> None:
        grant(tmp_path, 3.0, final=True)
        held = await purse.reserve(1.0)
        with pytest.raises(BudgetEnded):
            await purse.reserve(3.5)  # even if the one in flight costs nothing
        held.settle(None)

    granted(tmp_path, work)


def test_a_grant_that_shrinks_or_is_half_written_changes_nothing(tmp_path: Path) -> None:
    async def work(purse: GrantedPurse, halt: Halt) -> None:
        grant(tmp_path, 5.0)
        held = await purse.reserve(4.0)
        grant(tmp_path, 1.0, final=True)
        (await purse.reserve(1.0)).settle(0.0)
        (tmp_path / "budget.json").write_text('{"granted": 50')
        waiting = asyncio.ensure_future(purse.reserve(4.0))
        await asyncio.sleep(0.15)
        assert not waiting.done()
        held.settle(0.0)
        (await waiting).settle(0.0)

    granted(tmp_path, work)


def test_a_stop_ends_the_wait_for_money(tmp_path: Path) -> None:
    async def work(purse: GrantedPurse, halt: Halt) -> None:
        waiting = asyncio.ensure_future(purse.reserve(1.0))
        await asyncio.sleep(0.05)
        halt.drain("signal")
        with pytest.raises(Halted):
            await waiting

    granted(tmp_path, work)


@pytest.mark.parametrize("spoil", ["removed", "unreadable"])
def test_a_grant_that_is_gone_ends_the_wait(tmp_path: Path, spoil: str) -> None:
    now = 0.0

    async def run() -> None:
        nonlocal now
        events, halt = EventWriter(tmp_path / "events.jsonl"), Halt()
        purse = GrantedPurse(Ledger(), control=tmp_path, events=events, halt=halt, clock=lambda: now)
        grant(tmp_path, 1.0)
        (await purse.reserve(1.0)).settle(1.0)
        waiting = asyncio.ensure_future(purse.reserve(1.0))
        await asyncio.sleep(0.1)
        (tmp_path / "budget.json").unlink()
        if spoil == "unreadable":
            (tmp_path / "budget.json").mkdir()
        now = 1.0
        await asyncio.sleep(0.15)
        now = 30.0
        await asyncio.sleep(0.15)
        assert not waiting.done()
        now = 31.5
        with pytest.raises(GrantGone, match="could not be read for 30 s"):
            await waiting
        events.close()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_many_at_once_never_hold_more_than_was_granted(tmp_path: Path) -> None:
    async def work(purse: GrantedPurse, halt: Halt) -> None:
        dice, held, most = random.Random(3), 0.0, 0.0

        async def one() -> None:
            nonlocal held, most
            amount = dice.uniform(0.1, 2.0)
            reservation = await purse.reserve(amount)
            held += amount
            most = max(most, held + purse.spent)
            await asyncio.sleep(dice.uniform(0, 0.005))
            held -= amount
            reservation.settle(amount * dice.random())

        grant(tmp_path, 20.0, final=True)
        ended = await asyncio.gather(*(one() for _ in range(300)), return_exceptions=True)
        assert most <= 20.0 + 1e-6
        assert sum(isinstance(error, BudgetEnded) for error in ended) > 50
        assert all(error is None or isinstance(error, BudgetEnded) for error in ended)

    granted(tmp_path, work)


# --- the driver --------------------------------------------------------------------------------------


def paid(bench: Bench, server: FaultServer, **changes: Any) -> Any:
    base: dict[str, Any] = {"price": PRICE, "decoding": DECODING, "concurrency": 4}
    return bench.http(server.base_url, **{**base, **changes})


def test_costs_stand_in_records_progress_and_summary(bench: Bench) -> None:
    bench.write_samples(samples(5))
    with FaultServer(script={"s1": [status(429), status(429)]}) as server:
        assert bench.run(paid(bench, server)) == 0
    assert [record.cost for record in bench.predictions] == [COST] * 5
    assert bench.summary.spent == 5 * COST
    last = bench.events("progress")[-1]
    assert (last["cost"], last["retries"], last["skipped"], last["in_flight"]) == (5 * COST, 2, 0, 0)


def test_without_prices_nothing_is_said_of_money(bench: Bench) -> None:
    bench.write_samples(samples(2))
    with FaultServer() as server:
        assert bench.run(bench.http(server.base_url)) == 0
    assert bench.summary.spent is None and bench.events("progress")[-1]["cost"] is None
    assert not (bench.root / "out/spending.json").exists()


def test_a_request_that_hung_counts_with_the_most_it_can_cost(bench: Bench) -> None:
    bench.write_samples(samples(1))
    short = QUICK.model_copy(update={"timeout_first_token_s": 0.2, "attempts": 2})
    with FaultServer(script={"s0": [hang]}) as server:
        assert bench.run(paid(bench, server, retry=short)) == 0
    assert bench.summary.spent == CEILING + COST
    assert bench.predictions[0].cost == CEILING + COST


@pytest.mark.parametrize("code", [408, 504, 524])
def test_so_does_one_whose_gateway_lost_patience(bench: Bench, code: int) -> None:
    """The model behind it may have worked on, and be paid for it."""
    bench.write_samples(samples(1))
    with FaultServer(script={"s0": [status(code)]}) as server:
        assert bench.run(paid(bench, server)) == 0
    assert bench.summary.spent == CEILING + COST


@pytest.mark.parametrize("code", [413, 429, 500, 503])
def test_one_that_was_refused_costs_nothing(bench: Bench, code: int) -> None:
    bench.write_samples(samples(1))
    with FaultServer(always={"s0": status(code)}) as server:
        assert bench.run(paid(bench, server)) == 0
    assert bench.summary.spent == 0.0


def test_the_end_of_a_budget_leaves_a_complete_artifact(bench: Bench) -> None:
    bench.write_samples(samples(20))
    grant(bench.root / "control", 5 * COST + CEILING, final=True)
    with FaultServer(delay_s=0.02) as server:
        spec = paid(bench, server, budget=Budget())
        assert bench.run(spec) == 7
        assert (
            len(server.asked) == len([record for record in bench.predictions if record.status == "ok"]) == 6
        )
        assert [record.sample_id for record in bench.predictions] == [f"s{n}" for n in range(20)]
        skipped = [record for record in bench.predictions if record.status == "skipped_budget"]
        assert {(record.error and record.error.kind, record.attempts) for record in skipped} == {
            ("budget", 0)
        }
        counts = bench.summary.counts
        assert (counts.planned, counts.ok, counts.error, counts.skipped) == (20, 6, 0, 14)
        assert bench.summary.spent == 6 * COST and bench.summary.errors == {"budget": 14}
        fatal = bench.events("fatal")[0]
        assert fatal["code"] == "VHB506" and "14 of 20" in fatal["message"] and "EUR" in fatal["message"]
        assert bench.events("end")[0]["skipped"] == 14
        before = bench.predictions_path.read_bytes()
        assert bench.run(spec) == 7  # nothing was raised: nothing is asked, nothing changes
        assert len(server.asked) == 6 and bench.predictions_path.read_bytes() == before

        grant(bench.root / "control", 20 * COST + CEILING, final=True)
        assert bench.run(spec) == 0
    assert set(server.counts.values()) == {1} and len(server.asked) == 20
    assert bench.summary.spent == 20 * COST and bench.summary.counts.ok == 20


def test_the_driver_ends_with_a_word_when_its_grants_are_gone(bench: Bench) -> None:
    bench.write_samples(samples(4))
    fast = SpedUp()
    with FaultServer() as server:
        spec = paid(bench, server, budget=Budget())
        ticking = Runtime(sleep=fast.sleep, monotonic=lambda: 100 * time.monotonic())
        assert bench.run(spec, runtime=ticking) == 6
    fatal = bench.events("fatal")[0]
    assert fatal["code"] == "VHB402" and "budget.json" in fatal["message"]
    assert server.asked == []


def test_what_one_request_could_cost_is_told_not_what_all_of_them_could(bench: Bench) -> None:
    bench.write_samples(samples(10))
    grant(bench.root / "control", CEILING - 1, final=True)
    with FaultServer() as server:
        assert bench.run(paid(bench, server, budget=Budget(), concurrency=8)) == 7
    assert bench.events("fatal")[0]["wanted"] == CEILING


def test_a_budget_that_ended_leaves_what_costs_nothing(bench: Bench, tmp_path: Path) -> None:
    """Records of an earlier start and of other artifacts are kept, unusable samples say why they are."""
    bench.write_samples(samples(6))
    with FaultServer() as server:
        assert bench.run(paid(bench, server)) == 0
        (bench.root / "in/previous/f1").mkdir(parents=True)
        lines = bench.predictions_path.read_bytes().splitlines(keepends=True)
        (bench.root / "in/previous/f1/predictions.jsonl").write_bytes(lines[4])
        bench.predictions_path.write_bytes(lines[2])
        spent = bench.summary.spent
        grant(bench.root / "control", spent or 0.0, final=True)
        spec = paid(bench, server, budget=Budget(), previous=("/vlmhb/in/previous/f1",))
        assert bench.run(spec) == 7
    states = {name: (record.status, record.imported_from) for name, record in bench.by_id.items()}
    assert states.pop("s2") == ("ok", None) and states.pop("s4") == ("ok", "f1")
    assert set(states.values()) == {("skipped_budget", None)}


def start(bench: Bench, spec: Any) -> subprocess.Popen[bytes]:
    (bench.root / "spec.json").write_text(spec.model_dump_json())
    env = {**os.environ, "VLMHB_ROOT": str(bench.root)}
    return subprocess.Popen([sys.executable, "-m", "vlmhb_stages", "infer"], env=env)


def test_kill_9_never_makes_the_driver_forget_what_it_has_spent(bench: Bench) -> None:
    bench.write_samples(samples(60))
    dice, kills = random.Random(11), 0
    with FaultServer(delay_s=0.01) as server:
        spec = paid(bench, server)
        while True:
            target = len(server.asked) + dice.randint(2, 25)
            driver = start(bench, spec)
            while driver.poll() is None and len(server.asked) < target:
                try:
                    driver.wait(0.005)
                except subprocess.TimeoutExpired:
                    continue
            if driver.poll() is not None:
                break
            driver.kill()
            driver.wait()
            kills += 1
            answers = [record for record in bench.by_id.values() if record.status == "ok"]
            assert sum(spending(bench.root / "out").values()) >= COST * len(answers)
        assert driver.returncode == 0 and kills >= 2
    spent, in_flight = bench.summary.spent or 0.0, kills * 4
    assert COST * len(server.asked) <= spent <= COST * 60 + (CEILING + 1) * in_flight
    assert [record.sample_id for record in bench.predictions] == [f"s{n}" for n in range(60)]
    assert "count as spent" in json.dumps(bench.events("warning"))
