"""Every fault of a server becomes the right record, with exactly the configured number of requests."""

from __future__ import annotations

import json

import pytest
from infer_bench import QUICK, Bench, SpedUp, sample, samples
from infer_faults import (
    DONE,
    FaultServer,
    Handler,
    body,
    chunk,
    hang,
    hang_in_stream,
    proper,
    refuses_streaming,
    reset,
    saying,
    status,
    streaming,
)
from vlmhb_stages.contracts import SampleError

ERROR_IN_STREAM = b'data: {"error": {"message": "CUDA went away", "code": 500}}\n\n'
HUNG = QUICK.model_copy(update={"timeout_first_token_s": 0.1, "timeout_total_s": 0.2})


def test_one_broken_sample_costs_one_sample(bench: Bench) -> None:
    """B1, L2, V3, V4: a typed failure row, the others answered, attempts exactly as configured."""
    bench.write_samples(samples(20))
    with FaultServer(always={"s7": status(500)}) as server:
        code = bench.run(bench.http(server.base_url, concurrency=4))
    assert code == 0
    assert server.counts["s7"] == 3 and sum(server.counts.values()) == 19 + 3
    assert [record.sample_id for record in bench.predictions] == [f"s{i}" for i in range(20)]
    broken = bench.by_id.pop("s7")
    assert (broken.status, broken.text, broken.attempts) == ("error", None, 3)
    assert broken.error is not None and broken.error.kind == "server_error"
    assert "broken on purpose" in broken.error.message
    assert bench.by_id["s8"].text == "answer to s8"
    assert bench.summary.counts.model_dump() == {"planned": 20, "ok": 19, "error": 1, "skipped": 0}
    assert bench.summary.requests == 22 and bench.summary.errors == {"server_error": 1}
    assert bench.summary.server == {"id": "fault-model"}
    assert bench.events("end")[0]["ok"] == 19


@pytest.mark.parametrize("on_socket", [False, True])
@pytest.mark.parametrize(
    ("fault", "kind", "requests"),
    [
        (status(500), "server_error", 3),
        (status(502), "server_error", 3),
        (status(409), "server_error", 3),
        (status(408), "timeout", 3),
        (status(504), "timeout", 3),
        (status(524), "timeout", 3),
        (status(429), "rate_limited", 3),
        (status(404), "server_error", 1),
        (status(401), "server_error", 1),
        (status(403), "server_error", 1),
        (status(400, "temperature is not a number"), "server_error", 1),
        (reset, "connection", 3),
        (body(b"<html>welcome</html>"), "invalid_response", 3),
        (body(b'{"choices": []}'), "invalid_response", 3),
        (body(b'{"error": {"message": "no"}}'), "invalid_response", 3),
        (streaming(chunk("half of an ")), "invalid_response", 3),
        (streaming(b'data: {"choi'), "invalid_response", 3),
        (streaming(b"data: {nonsense\n\n", DONE), "invalid_response", 3),
        (streaming(chunk("x"), ERROR_IN_STREAM, DONE), "invalid_response", 3),
    ],
    ids=lambda value: getattr(value, "__name__", None) and None,
)
def test_failures(bench: Bench, fault: Handler, kind: str, requests: int, on_socket: bool) -> None:
    bench.write_samples(samples(3))
    with FaultServer(always={"s1": fault}, socket_path=bench.socket if on_socket else None) as server:
        spec = bench.own() if on_socket else bench.http(server.base_url + "/v1/")
        assert bench.run(spec) == 0
    failed = bench.by_id["s1"]
    assert failed.error is not None
    assert (failed.status, failed.error.kind, failed.text) == ("error", kind, None)
    assert server.counts == {"s0": 1, "s1": requests, "s2": 1}
    assert failed.attempts == requests
    told = [attempt for attempt in bench.attempts if attempt.sample_id == "s1"]
    assert [attempt.attempt for attempt in told] == list(range(1, requests + 1))
    assert all(attempt.outcome == "error" and attempt.error is not None for attempt in told)


@pytest.mark.parametrize(
    "fault",
    [
        status(400, "This model's maximum context length is 4096 tokens"),
        status(400, "context overflow"),
        status(413, "The prompt is too long: 5000 tokens"),
        status(413, "Request Entity Too Large"),
        status(413, "image exceeds 5 MB maximum"),
        body(b'{"object": "error", "message": "longer than the maximum model length of 10", "code": 400}'),
        streaming(b'data: {"error": {"message": "x", "code": "context_length_exceeded"}}\n\n', DONE),
    ],
)
def test_context_overflow_is_never_an_answer(bench: Bench, fault: Handler) -> None:
    """B2."""
    bench.write_samples(samples(20))
    with FaultServer(everything=fault) as server:
        assert bench.run(bench.http(server.base_url, concurrency=8)) == 0
    assert len(server.asked) == 20
    assert {(record.status, record.text) for record in bench.predictions} == {("context_overflow", None)}
    assert bench.summary.counts.ok == 0 and bench.summary.errors == {"context_overflow": 20}


def test_two_faults_and_then_an_answer(bench: Bench) -> None:
    bench.write_samples(samples(2))
    with FaultServer(script={"s0": [status(500), reset]}) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    assert server.counts == {"s0": 3, "s1": 1}
    assert (bench.by_id["s0"].status, bench.by_id["s0"].attempts) == ("ok", 3)
    assert [attempt.outcome for attempt in bench.attempts] == ["error", "error", "ok", "ok"]


def test_retry_after_is_honoured_and_capped(bench: Bench) -> None:
    bench.write_samples(samples(2))
    retry = QUICK.model_copy(update={"base_s": 0.5, "max_s": 10.0})
    script = {"s0": [status(429, Retry_After="7")], "s1": [status(503, Retry_After="9999")]}
    fast = SpedUp()
    with FaultServer(script=script) as server:
        assert bench.run(bench.http(server.base_url, retry=retry), runtime=fast.runtime()) == 0
    assert fast.naps == [7.0, 40.0]
    assert server.counts == {"s0": 2, "s1": 2}


def test_backoff_is_exponential_with_full_jitter(bench: Bench) -> None:
    bench.write_samples(samples(1))
    retry = QUICK.model_copy(update={"attempts": 6, "base_s": 1.0, "max_s": 5.0})
    fast = SpedUp()
    with FaultServer(everything=status(500)) as server:
        assert bench.run(bench.http(server.base_url, retry=retry), runtime=fast.runtime()) == 0
    assert len(server.asked) == 6 and len(fast.naps) == 5
    assert all(0 <= nap <= ceiling for nap, ceiling in zip(fast.naps, (1, 2, 4, 5, 5), strict=True))
    assert len(set(fast.naps)) == 5


@pytest.mark.parametrize("fault", [hang, hang_in_stream])
def test_a_hanging_request_is_a_timeout(bench: Bench, fault: Handler) -> None:
    bench.write_samples(samples(3))
    with FaultServer(always={"s1": fault}) as server:
        assert bench.run(bench.http(server.base_url, retry=HUNG, concurrency=3)) == 0
    failed = bench.by_id["s1"]
    assert failed.error is not None and failed.error.kind == "timeout"
    assert server.counts == {"s0": 1, "s1": 3, "s2": 1}


def test_a_slow_first_token_is_waited_for(bench: Bench) -> None:
    bench.write_samples(samples(1))
    slow = streaming(
        0.1, chunk("slow"), 0.1, chunk(" but right"), chunk(finish="stop"), chunk(usage=(3, 5)), DONE
    )
    with FaultServer(everything=slow) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    record = bench.predictions[0]
    assert record.text == "slow but right"
    assert record.ttft_s is not None and record.latency_s is not None and record.tpot_s is not None
    assert 0.1 <= record.ttft_s < record.latency_s - 0.05
    assert record.tpot_s == pytest.approx((record.latency_s - record.ttft_s) / 4, abs=1e-5)
    assert (record.input_tokens, record.output_tokens) == (3, 5)


def test_a_server_that_does_not_stream_is_asked_whole_from_then_on(bench: Bench) -> None:
    bench.write_samples(samples(3))
    with FaultServer(everything=refuses_streaming) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    refused = [True, True, True]  # with running counts, with a count at the end, and with none
    assert [asked.body["stream"] for asked in server.asked] == [*refused, False, False, False]
    assert {record.status for record in bench.predictions} == {"ok"}
    assert {record.ttft_s for record in bench.predictions} == {None}
    assert {record.attempts for record in bench.predictions} == {1}
    assert bench.summary.requests == 6


@pytest.mark.parametrize(
    ("answer", "status_", "text"),
    [
        (saying("cut off here", finish="length"), "truncated", "cut off here"),
        (saying("", finish="content_filter"), "refused", None),
        (streaming(chunk(refusal="I will not"), chunk(finish="stop"), DONE), "refused", None),
        (saying(""), "ok", ""),
        (body(b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}'), "ok", ""),
    ],
)
def test_states_that_are_not_errors(bench: Bench, answer: Handler, status_: str, text: str | None) -> None:
    bench.write_samples(samples(1))
    with FaultServer(everything=answer) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    record = bench.predictions[0]
    assert (record.status, record.text, record.attempts) == (status_, text, 1)
    assert (record.error is not None) == (status_ == "refused")
    empty = [event for event in bench.events("warning") if "every answer is empty" in event["message"]]
    assert len(empty) == (1 if text == "" else 0)


@pytest.mark.parametrize(
    "text",
    [
        "NA",
        "None",
        "null",
        "007",
        "1.50",
        "я" * 40_000,
        "a\r\nb\u2028c\x00\x07\t",
        'кавычки «"» и \\',
        "🙂",
        " padded  ",
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_texts_survive_byte_for_byte(bench: Bench, text: str, streamed: bool) -> None:
    """V5."""
    bench.write_samples(samples(1))
    whole = json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).encode()
    with FaultServer(everything=saying(text) if streamed else body(whole)) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    assert bench.predictions[0].text == text


def test_halves_of_a_surrogate_pair_are_joined_and_lone_ones_replaced(bench: Bench) -> None:
    bench.write_samples(samples(1))
    halves = streaming(chunk("\ud83d"), chunk("\ude42 "), chunk("\ud83d"), chunk(finish="stop"), DONE)
    with FaultServer(everything=halves) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    assert bench.predictions[0].text == "🙂 \ufffd"


def test_no_server_at_all_is_a_typed_error(bench: Bench) -> None:
    bench.write_samples(samples(2))
    assert bench.run(bench.http("http://127.0.0.1:9")) == 0
    assert {record.error.kind for record in bench.predictions if record.error} == {"connection"}
    assert bench.summary.requests == 6


def test_the_window_is_never_exceeded(bench: Bench) -> None:
    bench.write_samples(samples(30))
    with FaultServer(delay_s=0.01) as server:
        assert bench.run(bench.http(server.base_url, concurrency=5)) == 0
    assert server.most_in_flight == 5


def test_an_unusable_input_is_recorded_and_not_sent(bench: Bench) -> None:
    bad = SampleError(kind="bad_image", message="p.png: not an image")
    bench.write_samples([sample("a"), sample("b", error=bad), sample("c")])
    with FaultServer(everything=proper) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    assert server.counts == {"a": 1, "c": 1}
    assert bench.by_id["b"].error == bad and bench.by_id["b"].attempts == 0
