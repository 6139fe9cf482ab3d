"""Samples are prepared ahead of those that are asked, in order, and never more than a few."""

from __future__ import annotations

import asyncio

import pytest
from infer_bench import Bench, sample
from infer_faults import FaultServer
from vlmhb_stages.contracts import Message, Prediction, Sample
from vlmhb_stages.infer.ahead import Ahead, depth_for
from vlmhb_stages.infer.pending import Answering, Pending, at_once


class Slow:
    """Later samples are ready sooner."""

    requests = 0

    def __init__(self, *, broken: str = "") -> None:
        self.broken = broken
        self.now = self.most = 0
        self.cancelled: list[str] = []

    async def prepare(self, pending: Pending) -> Answering:
        name = pending.sample.sample_id
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            for _ in range(20 - int(name)):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        finally:
            self.now -= 1
        if name == self.broken:
            raise OSError(name)
        record = Prediction(sample_id=name, request_hash="h", status="ok", text="")
        return lambda: at_once(record)

    async def describe(self) -> dict[str, str]:
        return {}


def pending(number: int) -> Pending:
    messages = (Message(role="user", content="?"),)
    return Pending(sample=Sample(sample_id=str(number), messages=messages), request_hash="h")


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_they_come_back_in_order(depth: int) -> None:
    async def go() -> list[str]:
        slow, found = Slow(), []
        async with Ahead(slow, depth=depth) as ahead:
            for number in range(12):
                answering = await ahead.add(pending(number))
                if answering is not None:
                    found.append((await answering()).sample_id)
            assert len(found) == 12 - depth
            async for answering in ahead.rest():
                found.append((await answering()).sample_id)
        assert slow.most == depth + 1
        return found

    assert asyncio.run(go()) == [str(number) for number in range(12)]


def test_leaving_it_drops_what_was_not_taken() -> None:
    async def go() -> list[str]:
        slow = Slow()
        async with Ahead(slow, depth=3) as ahead:
            for number in range(3):
                assert await ahead.add(pending(number)) is None
            await asyncio.sleep(0)
        return slow.cancelled

    assert asyncio.run(go()) == ["0", "1", "2"]


def test_a_failure_is_raised_where_its_sample_is_taken() -> None:
    async def go() -> None:
        async with Ahead(Slow(broken="1"), depth=1) as ahead:
            assert await ahead.add(pending(0)) is None
            assert await ahead.add(pending(1)) is not None
            with pytest.raises(OSError, match="1"):
                await ahead.add(pending(2))
            assert await ahead.add(pending(3)) is not None

    asyncio.run(go())


def test_one_request_at_a_time_has_nothing_ahead() -> None:
    assert [depth_for(count) for count in (1, 7, 8, 64, 1000)] == [0, 0, 1, 4, 4]


def test_every_page_is_asked_once_and_no_more_at_once_than_allowed(bench: Bench) -> None:
    bench.write_samples([sample(f"s{i}", bench.image(f"{i}.png", bytes(5000))) for i in range(60)])
    with FaultServer(delay_s=0.02) as server:
        assert bench.run(bench.http(server.base_url, concurrency=16)) == 0
    assert set(server.counts.values()) == {1} and len(server.counts) == 60
    assert server.most_in_flight <= 16
    assert [record.sample_id for record in bench.predictions] == [f"s{i}" for i in range(60)]
