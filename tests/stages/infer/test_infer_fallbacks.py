"""Other places: fallbacks in their order, replicas side by side, and a place that is out of order."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from aiohttp import web
from infer_bench import QUICK, Bench, SpedUp, samples
from infer_faults import Asked, FaultServer, Handler, body, hang, proper, reset, saying, status
from vlmhb_stages.specs import BreakerPolicy, HttpBackend, RetryPolicy, SocketBackend, Target

OFTEN = BreakerPolicy(failures=4, cooldown_s=0.05, max_cooldown_s=0.1)


def target(server: FaultServer, name: str = "second", model: str = "other") -> Target:
    return Target(
        name=name,
        backend=HttpBackend(base_url=server.base_url),
        model=model,
        model_identity="id-2",
    )


def test_a_place_that_has_used_its_attempts_up_gives_way_to_the_next(bench: Bench) -> None:
    bench.write_samples(samples(2))
    with FaultServer(always={"s0": status(500)}) as first, FaultServer() as second:
        spec = bench.http(first.base_url, fallbacks=(target(second),))
        assert bench.run(spec) == 0
    assert first.counts == {"s0": 3, "s1": 1} and second.counts == {"s0": 1}
    moved, stayed = bench.by_id["s0"], bench.by_id["s1"]
    assert (moved.status, moved.fallback, moved.attempts) == ("ok", "second", 4)
    assert moved.server == second.base_url.removeprefix("http://")
    assert (stayed.status, stayed.fallback, stayed.attempts) == ("ok", None, 1)
    assert second.asked[0].body["model"] == "other"
    servers = [attempt.server for attempt in bench.attempts if attempt.sample_id == "s0"]
    assert servers == [bench.by_id["s1"].server] * 3 + [moved.server]


def test_each_place_has_its_own_attempts_and_the_last_failure_counts(bench: Bench) -> None:
    bench.write_samples(samples(1))
    with ExitStack() as stack:
        first, second, third = (
            stack.enter_context(FaultServer(everything=status(code))) for code in (500, 429, 502)
        )
        spec = bench.http(first.base_url, fallbacks=(target(second, "b"), target(third, "c")))
        assert bench.run(spec) == 0
    assert [len(server.asked) for server in (first, second, third)] == [3, 3, 3]
    record = bench.by_id["s0"]
    assert (record.status, record.fallback, record.attempts) == ("error", "c", 9)
    assert record.error is not None and "502" in record.error.message


def test_a_final_error_is_no_reason_to_ask_another_model(bench: Bench) -> None:
    bench.write_samples(samples(1))
    overflow = status(400, "maximum context length is 10 tokens")
    with FaultServer(everything=overflow) as first, FaultServer() as second:
        assert bench.run(bench.http(first.base_url, fallbacks=(target(second),))) == 0
    assert bench.by_id["s0"].status == "context_overflow"
    assert len(second.asked) == 0


def test_a_place_out_of_order_is_not_asked_again_for_every_sample(bench: Bench) -> None:
    """Four failures in a row open the breaker; from then on only a probe now and then."""
    bench.write_samples(samples(40))
    breaker = BreakerPolicy(failures=4, cooldown_s=600)
    with FaultServer(everything=status(500)) as first, FaultServer() as second:
        spec = bench.http(first.base_url, fallbacks=(target(second),), breaker=breaker)
        assert bench.run(spec) == 0
    assert len(first.asked) == 4
    assert {record.status for record in bench.predictions} == {"ok"}
    assert {record.fallback for record in bench.predictions} == {"second"}
    told = [event["message"] for event in bench.events("warning")]
    assert len(told) == 1 and "is out of order: server_error: HTTP 500" in told[0]


def test_a_place_that_works_again_is_asked_again(bench: Bench) -> None:
    bench.write_samples(samples(60))
    with FaultServer(everything=status(500)) as first, FaultServer(delay_s=0.01) as second:

        def mend(count: int) -> None:
            first.everything = proper if count >= 5 else first.everything

        first.on_asked = mend
        assert bench.run(bench.http(first.base_url, fallbacks=(target(second),), breaker=OFTEN)) == 0
    assert len(first.asked) > 10
    assert bench.by_id["s59"].fallback is None
    assert [event["message"].split(" ", 2)[2][:11] for event in bench.events("warning")] == [
        "is out of o",
        "works again",
    ]


def test_without_a_fallback_requests_wait_for_a_probe(bench: Bench) -> None:
    bench.write_samples(samples(8))
    breaker = BreakerPolicy(failures=4, cooldown_s=10)
    fast = SpedUp()
    patient = QUICK.model_copy(update={"attempts": 5, "server_wait_s": 60})
    with FaultServer(everything=status(503)) as server:

        def mend(_count: int) -> None:
            server.everything = proper if fast.now > 20 else server.everything

        server.on_asked = mend
        spec = bench.http(server.base_url, breaker=breaker, retry=patient, concurrency=2)
        assert bench.run(spec, runtime=fast.runtime()) == 0
    assert {record.status for record in bench.predictions} == {"ok"}
    assert 30 <= fast.now < 31  # 10 s, where the probe fails as well, then twice as long


def test_what_stays_out_of_order_is_told_as_a_connection_error(bench: Bench) -> None:
    bench.write_samples(samples(30))
    breaker = BreakerPolicy(failures=4, cooldown_s=10)
    fast = SpedUp()
    with FaultServer(everything=status(503, "closed for good")) as server:
        spec = bench.http(server.base_url, breaker=breaker, concurrency=4)
        assert bench.run(spec, runtime=fast.runtime()) == 0
    assert bench.summary.errors["connection"] >= 27
    assert "closed for good" in str(bench.by_id["s29"].error)
    assert 20 <= fast.now < 25 and len(server.asked) < 9


def test_nobody_listening_is_a_reason_as_well(bench: Bench) -> None:
    bench.write_samples(samples(3))
    with FaultServer() as server:
        gone = HttpBackend(base_url="http://127.0.0.1:9/v1")
        assert bench.run(bench.spec(gone, fallbacks=(target(server),))) == 0
    assert {record.fallback for record in bench.predictions} == {"second"}


@pytest.mark.parametrize("fault", [reset, body(b"<html>busy</html>", content_type="text/html")])
def test_broken_answers_open_the_breaker_too(bench: Bench, fault: Handler) -> None:
    bench.write_samples(samples(9))
    breaker = BreakerPolicy(failures=4, cooldown_s=600)
    with FaultServer(everything=fault) as first, FaultServer() as second:
        assert bench.run(bench.http(first.base_url, fallbacks=(target(second),), breaker=breaker)) == 0
    assert len(first.asked) == 4


def test_too_many_requests_do_not_open_it(bench: Bench) -> None:
    bench.write_samples(samples(10))
    with FaultServer(script={f"s{i}": [status(429)] * 2 for i in range(10)}) as server:
        assert bench.run(bench.http(server.base_url, breaker=OFTEN)) == 0
    assert {record.attempts for record in bench.predictions} == {3}
    assert bench.events("warning") == []


def replicas(bench: Bench, count: int) -> SocketBackend:
    for number in range(count):
        (bench.root / f"sock/{number}").mkdir(parents=True, exist_ok=True)
    return SocketBackend(sockets=tuple(f"/vlmhb/sock/{number}/model.sock" for number in range(count)))


def test_replicas_share_the_work(bench: Bench) -> None:
    bench.write_samples(samples(60))
    backend = replicas(bench, 3)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(FaultServer(socket_path=bench.resolve(socket), delay_s=0.02))
            for socket in backend.sockets
        ]
        assert bench.run(bench.spec(backend, concurrency=2)) == 0
    assert {record.status for record in bench.predictions} == {"ok"}
    assert min(len(server.asked) for server in servers) >= 12
    assert max(server.most_in_flight for server in servers) == 2
    assert {record.server for record in bench.predictions} == {"socket 0", "socket 1", "socket 2"}


def test_a_replica_that_is_given_up_does_not_stop_the_others(bench: Bench) -> None:
    bench.write_samples(samples(20))
    backend = replicas(bench, 2)
    (bench.root / "sock/0/failed").write_text("killed for memory")
    with FaultServer(socket_path=bench.resolve(backend.sockets[1])) as server:
        assert bench.run(bench.spec(backend, concurrency=2)) == 0
    assert len(server.asked) == 20
    assert {record.server for record in bench.predictions} == {"socket 1"}
    told = [event["message"] for event in bench.events("warning")]
    assert told == ["VHB503: model server 0 is given up: killed for memory"]


def test_a_replica_that_hangs_is_replaced_by_its_number(bench: Bench) -> None:
    bench.write_samples(samples(20))
    backend = replicas(bench, 2)
    quick = QUICK.model_copy(update={"timeout_first_token_s": 1.0, "timeout_total_s": 2.0})
    with ExitStack() as stack:
        stack.enter_context(FaultServer(socket_path=bench.resolve(backend.sockets[1]), everything=hang))
        good = stack.enter_context(FaultServer(socket_path=bench.resolve(backend.sockets[0]), delay_s=0.02))
        assert bench.run(bench.spec(backend, concurrency=1, retry=quick)) == 0
    assert [event["server"] for event in bench.events("restart_server")] == [1]
    assert {record.status for record in bench.predictions} == {"ok"}
    assert len(good.asked) == 20


def test_a_replica_that_answers_with_errors_only_is_left_alone(bench: Bench) -> None:
    """It is the quickest of all, so it would get most of the work."""
    bench.write_samples(samples(40))
    backend = replicas(bench, 2)
    breaker = BreakerPolicy(failures=3, cooldown_s=600)
    with ExitStack() as stack:
        bad, good = (
            stack.enter_context(FaultServer(socket_path=bench.resolve(socket), **faults))
            for socket, faults in zip(
                backend.sockets, ({"everything": status(500)}, {"delay_s": 0.01}), strict=True
            )
        )
        patient = QUICK.model_copy(update={"attempts": 6})  # one sample may meet the bad one again and again
        assert bench.run(bench.spec(backend, concurrency=2, breaker=breaker, retry=patient)) == 0
    assert len(bad.asked) <= 5 and len(good.asked) >= 38
    assert {record.status for record in bench.predictions} == {"ok"}


def test_all_replicas_gone_end_the_run(bench: Bench) -> None:
    bench.write_samples(samples(3))
    backend = replicas(bench, 2)
    for number in range(2):
        (bench.root / f"sock/{number}/failed").write_text(f"reason {number}")
    assert bench.run(bench.spec(backend)) == 3
    message = bench.events("fatal")[0]["message"]
    assert "reason 0" in message and "reason 1" in message


def test_our_own_server_gone_gives_way_to_a_fallback(bench: Bench) -> None:
    bench.write_samples(samples(3))
    (bench.root / "sock/0/failed").write_text("no room")
    with FaultServer() as server:
        assert bench.run(bench.own(fallbacks=(target(server),))) == 0
    assert {record.fallback for record in bench.predictions} == {"second"}


def test_our_own_server_that_answers_only_errors_loses_no_time(bench: Bench) -> None:
    """Healthy, then HTTP 500 each time: told once, and every sample has its own typed error."""
    bench.write_samples(samples(30))
    breaker = BreakerPolicy(failures=4, cooldown_s=600)
    fast = SpedUp()
    with FaultServer(socket_path=bench.socket, everything=status(500, "boom")) as server:
        spec = bench.own(concurrency=8, breaker=breaker)
        assert bench.run(spec, runtime=fast.runtime()) == 0
    assert len(server.asked) == 90
    assert bench.summary.errors == {"server_error": 30}
    assert fast.now < 10
    told = [event["message"] for event in bench.events("warning")]
    assert len([text for text in told if "out of order" in text and "boom" in text]) == 1


def test_a_slow_start_spares_an_api_that_refuses(bench: Bench) -> None:
    """An API that takes four at once refuses everything beyond; an adaptive window finds that out."""
    bench.write_samples(samples(200))

    async def picky(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
        refused = len(server.open_requests) > 4
        return await (status(429) if refused else proper)(server, request, asked)

    patient = RetryPolicy(attempts=20, base_s=0.001, max_s=0.01)
    with FaultServer(everything=picky, delay_s=0.01) as greedy:
        spec = bench.http(greedy.base_url, concurrency=32, adaptive=True, retry=patient)
        assert bench.run(spec) == 0
    assert {record.status for record in bench.predictions} == {"ok"}
    assert len(greedy.asked) < 320
    assert greedy.most_in_flight <= 16


def test_rates_are_kept(bench: Bench) -> None:
    bench.write_samples(samples(25))
    fast = SpedUp()
    with FaultServer() as server:
        spec = bench.http(server.base_url, concurrency=8, rate={"requests_per_minute": 10})
        assert bench.run(spec, runtime=fast.runtime()) == 0
    assert len(server.asked) == 25
    assert 120 <= fast.now < 121
    assert max(record.queue_s or 0 for record in bench.predictions) > 0


def test_an_answer_of_a_model_that_says_nothing_is_told(bench: Bench) -> None:
    bench.write_samples(samples(3))
    with FaultServer(everything=saying("")) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    assert any("every answer is empty" in event["message"] for event in bench.events("warning"))
