"""A model server of our own that is late, dies, hangs or is given up."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from aiohttp import web
from infer_bench import QUICK, Bench, SpedUp, samples
from infer_faults import Asked, FaultServer, Handler, chunk, hang, reset, status, stream

HUNG = QUICK.model_copy(update={"timeout_first_token_s": 0.1, "timeout_total_s": 0.2})


async def die(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
    """What a client sees of a server that is killed in the middle of an answer."""
    server.healthy = False
    response = await stream(request, chunk("half"))
    assert request.transport is not None
    request.transport.abort()
    return response


async def die_with_all(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
    """A killed server takes every request in flight with it."""
    server.healthy = False
    for other in list(server.open_requests.values()):
        assert other.transport is not None
        other.transport.abort()
    return web.Response(status=500)


async def die_with_three_others(
    server: FaultServer, request: web.Request, asked: Asked
) -> web.StreamResponse:
    while len(server.open_requests) < 4:
        await asyncio.sleep(0.001)
    return await die_with_all(server, request, asked)


def test_a_late_server_is_waited_for(bench: Bench) -> None:
    bench.write_samples(samples(2))
    with FaultServer(socket_path=bench.socket, healthy=False) as server:

        def come_up(naps: int) -> None:
            server.healthy = naps >= 4

        assert bench.run(bench.own(), runtime=SpedUp(on_nap=come_up).runtime()) == 0
    assert server.counts == {"s0": 1, "s1": 1}
    assert {record.server for record in bench.predictions} == {"socket"}


def test_a_server_that_dies_costs_the_attempt_in_flight_only(bench: Bench) -> None:
    bench.write_samples(samples(4))
    with FaultServer(socket_path=bench.socket, script={"s1": [die]}) as server:

        def come_back(naps: int) -> None:
            server.healthy = server.healthy or naps >= 10

        assert bench.run(bench.own(), runtime=SpedUp(on_nap=come_back).runtime()) == 0
    assert server.counts == {"s0": 1, "s1": 2, "s2": 1, "s3": 1}
    assert {record.status for record in bench.predictions} == {"ok"}
    assert bench.by_id["s1"].attempts == 2
    assert bench.events("restart_server") == []


def test_a_loading_server_is_waited_for(bench: Bench) -> None:
    bench.write_samples(samples(1))
    fast = SpedUp()
    with FaultServer(socket_path=bench.socket, script={"s0": [status(503, "loading")]}) as server:
        assert bench.run(bench.own(), runtime=fast.runtime()) == 0
    assert server.counts == {"s0": 2}


def test_a_sample_that_kills_the_server_costs_no_other_sample(bench: Bench) -> None:
    """V4 at concurrency: those in flight with it lose one attempt, and only its own last attempts are lost."""
    bench.write_samples(samples(12))
    script: dict[str, list[Handler]] = {"s3": [die_with_three_others]}
    with FaultServer(
        socket_path=bench.socket, script=script, always={"s3": die_with_all}, delay_s=0.05
    ) as server:

        def come_back(naps: int) -> None:
            server.healthy = True

        assert bench.run(bench.own(concurrency=4), runtime=SpedUp(on_nap=come_back).runtime()) == 0
    assert server.counts["s3"] == 3
    assert [record.sample_id for record in bench.predictions if record.status != "ok"] == ["s3"]
    assert len(server.asked) == 11 + 3 + 3
    assert max(record.attempts for record in bench.predictions if record.status == "ok") == 2


def test_a_server_that_stays_away_ends_the_run_with_the_journal_intact(bench: Bench) -> None:
    bench.write_samples(samples(4))
    fast = SpedUp()
    with FaultServer(socket_path=bench.socket, always={"s2": die}) as server:
        assert bench.run(bench.own(), runtime=fast.runtime()) == 3
    assert server.counts == {"s0": 1, "s1": 1, "s2": 1}
    assert [record.sample_id for record in bench.predictions] == ["s0", "s1"]
    fatal = bench.events("fatal")
    assert [event["code"] for event in fatal] == ["VHB502"] and "20 s" in fatal[0]["message"]
    assert 20 <= fast.now < 25
    assert bench.summary.counts.ok == 2


def test_a_server_that_the_host_has_given_up_is_not_waited_for(bench: Bench) -> None:
    bench.write_samples(samples(2))
    (bench.root / "sock/0/failed").write_text("exit code 3; no module named torch\n")
    fast = SpedUp()
    assert bench.run(bench.own(), runtime=fast.runtime()) == 3
    assert "no module named torch" in bench.events("fatal")[0]["message"]
    assert fast.naps == []


def test_a_link_to_a_key_beside_the_socket_is_not_read_out(bench: Bench) -> None:
    bench.write_samples(samples(1))
    (bench.root / "secrets" / "key").write_text("sk-canary")
    (bench.root / "sock/0/failed").symlink_to(bench.root / "secrets" / "key")
    assert bench.run(bench.own(), runtime=SpedUp().runtime()) == 3
    assert "canary" not in (bench.root / "out/events.jsonl").read_text()
    assert "20 s" in bench.events("fatal")[0]["message"]


def test_given_up_in_the_middle_of_waiting(bench: Bench) -> None:
    bench.write_samples(samples(2))

    def give_up(naps: int) -> None:
        if naps == 5:
            (bench.root / "sock/0/failed").write_text("killed for memory")

    fast = SpedUp(on_nap=give_up)
    assert bench.run(bench.own(concurrency=2), runtime=fast.runtime()) == 3
    assert len(fast.naps) == 5
    assert len(bench.events("fatal")) == 1


def test_a_hung_server_is_replaced_once_for_all_that_hang(bench: Bench) -> None:
    bench.write_samples(samples(6))
    spec = bench.own(concurrency=3, retry=HUNG)
    with ExitStack() as servers:
        first = servers.enter_context(FaultServer(socket_path=bench.socket, everything=hang))
        second: list[FaultServer] = []

        def restart(naps: int) -> None:
            if not second and bench.events("restart_server"):
                second.append(servers.enter_context(FaultServer(socket_path=bench.socket)))

        assert bench.run(spec, runtime=SpedUp(on_nap=restart).runtime()) == 0
    assert [event["reason"] for event in bench.events("restart_server")] == ["timeout"]
    assert len(first.asked) == 3
    assert second[0].counts == {f"s{i}": 1 for i in range(6)}
    assert {record.status for record in bench.predictions} == {"ok"}


def test_a_hung_server_that_nobody_replaces_is_believed_again(bench: Bench) -> None:
    bench.write_samples(samples(2))
    fast = SpedUp()
    with FaultServer(socket_path=bench.socket, script={"s0": [hang]}) as server:
        assert (
            bench.run(bench.own(retry=HUNG.model_copy(update={"server_wait_s": 99})), runtime=fast.runtime())
            == 0
        )
    assert server.counts == {"s0": 2, "s1": 1}
    assert len(bench.events("restart_server")) == 1
    assert 30 <= fast.now < 32


def test_a_reset_on_a_healthy_server_is_just_retried(bench: Bench) -> None:
    bench.write_samples(samples(2))
    with FaultServer(socket_path=bench.socket, script={"s0": [reset, reset]}) as server:
        assert bench.run(bench.own()) == 0
    assert server.counts == {"s0": 3, "s1": 1}
