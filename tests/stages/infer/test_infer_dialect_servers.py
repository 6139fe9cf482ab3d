"""The whole stage against servers that speak the vendors' protocols."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from dialect_server import DialectServer, anthropic_says, events, gemini_says
from infer_bench import Bench, sample, samples
from infer_faults import Asked, FaultServer, Handler, hang, status, streaming
from vlmhb_stages.contracts import Message, Sample
from vlmhb_stages.specs import Dialect, HttpBackend, InferSpec

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def spec(bench: Bench, server: DialectServer, dialect: Dialect, **changes: Any) -> InferSpec:
    (bench.root / "secrets/KEY").write_text("k3y")
    backend = HttpBackend(base_url=server.base_url, api_key_file="/vlmhb/secrets/KEY", dialect=dialect)
    return bench.spec(backend, model="model-x", **changes)


@pytest.mark.parametrize(
    ("dialect", "says", "path", "header"),
    [
        ("anthropic", anthropic_says, "/v1/messages", "x-api-key"),
        ("gemini", gemini_says, "/v1/models/model-x:streamGenerateContent?alt=sse", "x-goog-api-key"),
    ],
)
def test_a_page_is_read_by_another_protocol(
    bench: Bench, dialect: Dialect, says: Any, path: str, header: str
) -> None:
    bench.write_samples([sample("s0", bench.image("a.png", b"one"))])
    with DialectServer(everything=says("Ито", "го ", "5", pause=0.03)) as server:
        assert bench.run(spec(bench, server, dialect)) == 0
    record = bench.predictions[0]
    assert (record.text, record.status, record.tokens_from) == ("Итого 5", "ok", "usage")
    assert (record.input_tokens, record.output_tokens) == (9, 3)
    assert record.ttft_s is not None and record.latency_s is not None
    assert 0.03 <= record.ttft_s < record.latency_s - 0.05
    assert record.itl is not None and sum(record.itl.values()) == 2
    assert server.paths == [path]
    headers = {name.lower(): value for name, value in server.asked[0].headers.items()}
    assert headers[header] == "k3y" and "authorization" not in headers
    assert bench.summary.server["type"] == "model"


@pytest.mark.parametrize(
    ("dialect", "handler", "status_"),
    [
        ("anthropic", anthropic_says("cut", stop="max_tokens"), "truncated"),
        ("anthropic", anthropic_says("no", stop="refusal"), "refused"),
        ("gemini", gemini_says("cut", finish="MAX_TOKENS"), "truncated"),
        ("gemini", gemini_says("no", finish="SAFETY"), "refused"),
        ("gemini", events({"promptFeedback": {"blockReason": "SAFETY"}}), "refused"),
    ],
)
def test_states_that_are_not_errors(bench: Bench, dialect: Dialect, handler: Handler, status_: str) -> None:
    bench.write_samples(samples(1))
    with DialectServer(everything=handler) as server:
        assert bench.run(spec(bench, server, dialect)) == 0
    assert bench.predictions[0].status == status_
    assert bench.predictions[0].attempts == 1


@pytest.mark.parametrize(
    ("dialect", "says", "error"),
    [
        (
            "anthropic",
            anthropic_says,
            {"type": "error", "error": {"type": "overloaded_error", "message": "m"}},
        ),
        ("gemini", gemini_says, {"error": {"code": 503, "status": "UNAVAILABLE", "message": "m"}}),
    ],
)
def test_an_overloaded_server_is_asked_again(
    bench: Bench, dialect: Dialect, says: Any, error: dict[str, Any]
) -> None:
    """In the middle of a stream, and by status (529 is theirs alone)."""
    bench.write_samples(samples(1))
    broken = [events(error), status(529, "Overloaded")]
    with DialectServer(script={"s0": broken}, everything=says("right")) as server:
        assert bench.run(spec(bench, server, dialect)) == 0
    assert [attempt.error.kind if attempt.error else None for attempt in bench.attempts] == [
        "server_error",
        "server_error",
        None,
    ]
    assert bench.predictions[0].text == "right"


def test_the_key_of_another_protocol_is_hidden_as_well(bench: Bench) -> None:
    bench.write_samples(samples(1))
    with DialectServer(everything=status(401, "invalid x-api-key k3y")) as server:
        assert bench.run(spec(bench, server, "anthropic")) == 0
    error = bench.predictions[0].error
    assert error is not None and "k3y" not in error.message and "***" in error.message


def with_schema(sample_id: str) -> Sample:
    asked = (Message(role="user", content=f"ask {sample_id}"),)
    return Sample(sample_id=sample_id, messages=asked, response_schema=SCHEMA)


async def knows_no_schema(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
    if "response_format" in asked.body:
        body = {"error": {"message": "response_format is not supported", "type": "invalid_request_error"}}
        return web.json_response(body, status=400)
    return await says_json(server, request, asked)


says_json = streaming(b'data: {"choices":[{"delta":{"content":"{}"},"finish_reason":"stop"}]}\n\n')


def test_a_server_is_held_to_the_schema(bench: Bench) -> None:
    bench.write_samples([with_schema("s0")])
    with FaultServer(everything=says_json) as server:
        assert bench.run(bench.http(server.base_url, structured=True)) == 0
    wanted = server.asked[0].body["response_format"]
    assert wanted == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": False, "schema": SCHEMA},
    }
    assert bench.predictions[0].adjusted == ()


def test_a_server_that_refuses_schemas_is_asked_without_and_it_is_told(bench: Bench) -> None:
    bench.write_samples([with_schema("s0"), with_schema("s1"), sample("s2")])
    with FaultServer(everything=knows_no_schema) as server:
        assert bench.run(bench.http(server.base_url, structured=True)) == 0
    assert server.counts == {"s0": 2, "s1": 1, "s2": 1}
    told = {name: record.adjusted for name, record in bench.by_id.items()}
    assert told == {"s0": ("schema not enforced",), "s1": ("schema not enforced",), "s2": ()}
    assert {record.attempts for record in bench.predictions} == {1}


def test_a_server_that_cannot_is_not_asked_and_it_is_told(bench: Bench) -> None:
    bench.write_samples([with_schema("s0")])
    with FaultServer(everything=knows_no_schema) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    assert len(server.asked) == 1
    assert bench.predictions[0].adjusted == ("schema not enforced",)


async def takes_no_temperature(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
    for name, hint in (("temperature", ""), ("max_tokens", " Use 'max_completion_tokens' instead.")):
        if name in asked.body:
            message = f"Unsupported parameter: '{name}' is not supported with this model.{hint}"
            return web.json_response({"error": {"message": message}}, status=400)
    return await says_json(server, request, asked)


def test_what_a_model_refuses_is_left_out_and_told(bench: Bench) -> None:
    bench.write_samples(samples(2))
    with FaultServer(everything=takes_no_temperature) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    assert server.counts == {"s0": 3, "s1": 1}
    assert server.asked[-1].body["max_completion_tokens"] == 1024
    assert {record.adjusted for record in bench.predictions} == {("temperature not sent",)}


def test_silence_between_two_pieces_has_its_own_limit(bench: Bench) -> None:
    """The answer began in time, but would have to wait for the total limit otherwise."""
    bench.write_samples(samples(1))
    handler = events({"choices": [{"delta": {"content": "half"}}]}, 30.0)
    retry = bench.http("http://x").retry.model_copy(update={"timeout_token_s": 0.2, "attempts": 2})
    with FaultServer(everything=handler) as server:
        assert bench.run(bench.http(server.base_url, retry=retry)) == 0
    errors = [attempt.error for attempt in bench.attempts]
    assert [error.message for error in errors if error] == ["nothing more of the answer in 0.2 s"] * 2
    assert all(attempt.latency_s < 2 for attempt in bench.attempts)


def test_a_complete_answer_whose_stream_is_not_ended_is_an_answer(bench: Bench) -> None:
    bench.write_samples(samples(1))
    whole = {"choices": [{"delta": {"content": "all of it"}, "finish_reason": "stop"}]}
    retry = bench.http("http://x").retry.model_copy(update={"timeout_token_s": 0.2})
    with FaultServer(everything=events(whole, 30.0)) as server:
        assert bench.run(bench.http(server.base_url, retry=retry)) == 0
    assert (bench.predictions[0].text, bench.predictions[0].attempts) == ("all of it", 1)


def test_pieces_that_come_slowly_but_come_are_waited_for(bench: Bench) -> None:
    bench.write_samples(samples(1))
    pieces: list[Any] = []
    for number in range(6):
        pieces += [0.15, {"choices": [{"delta": {"content": str(number)}}]}]
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    retry = bench.http("http://x").retry.model_copy(update={"timeout_token_s": 0.4})
    with FaultServer(everything=events(*pieces, end)) as server:
        assert bench.run(bench.http(server.base_url, retry=retry)) == 0
    assert bench.predictions[0].text == "012345"


def test_the_total_limit_holds_although_pieces_come(bench: Bench) -> None:
    bench.write_samples(samples(1))
    pieces: list[Any] = []
    for _ in range(100):
        pieces += [0.05, {"choices": [{"delta": {"content": "x"}}]}]
    retry = bench.http("http://x").retry.model_copy(update={"timeout_total_s": 0.5, "attempts": 1})
    with FaultServer(everything=events(*pieces)) as server:
        assert bench.run(bench.http(server.base_url, retry=retry)) == 0
    error = bench.predictions[0].error
    assert error is not None and error.message == "no end of the answer in 0.5 s"


def test_a_first_token_that_does_not_come_has_its_own_limit(bench: Bench) -> None:
    bench.write_samples(samples(1))
    role = {"choices": [{"delta": {"role": "assistant", "content": ""}}]}
    retry = bench.http("http://x").retry.model_copy(update={"timeout_first_token_s": 0.2, "attempts": 2})
    with FaultServer(everything=events(role, 30.0), script={"s0": [hang]}) as server:
        assert bench.run(bench.http(server.base_url, retry=retry)) == 0
    assert [attempt.error.message for attempt in bench.attempts if attempt.error] == [
        "no first token in 0.2 s"
    ] * 2
