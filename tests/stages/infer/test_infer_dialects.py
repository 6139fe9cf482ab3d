"""Each protocol against what the vendors' own libraries send and read (tests/golden/dialects, with their versions)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from vlmhb_stages.contracts import ImageRef, Message, Sample
from vlmhb_stages.infer.accepts import Accepts
from vlmhb_stages.infer.body import ChatRequest
from vlmhb_stages.infer.dialects import DIALECTS
from vlmhb_stages.infer.dialects.base import Asking, StreamReading
from vlmhb_stages.infer.dialects.openai import is_closed
from vlmhb_stages.infer.outcomes import Answer, Failure, Outcome
from vlmhb_stages.infer.sse import EventSplitter
from vlmhb_stages.specs import Decoding
from vlmhb_stages.specs import Dialect as Name

GOLDEN = Path(__file__).parents[2] / "golden" / "dialects"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"total": {"type": "string"}},
    "required": ["total"],
    "additionalProperties": False,
}
TALK = ChatRequest(
    sample=Sample(
        sample_id="s",
        messages=(
            Message(role="system", content="Be brief."),
            Message(role="user", content="Total?"),
            Message(role="assistant", content="1"),
            Message(role="user", content="Again?"),
        ),
        images=(ImageRef(path="a.png", sha256="", width=1, height=1),),
    ),
    request_hash="h",
    data_urls=(b"data:image/png;base64," + base64.b64encode(PNG),),
)
QUESTION = ChatRequest(
    sample=Sample(sample_id="s", messages=(Message(role="user", content="Total?"),), response_schema=SCHEMA),
    request_hash="h",
)
ALL = Decoding(temperature=0.0, max_tokens=64, seed=3, top_p=0.5, stop=("END",))


def golden(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return found


def asking(model: str, *, decoding: Decoding = ALL, stream: bool = True, structured: bool = False) -> Asking:
    accepts = Accepts(stream=stream, running_usage=False)
    return Asking(model=model, decoding=decoding, structured=structured, accepts=accepts)


def sent(dialect: Name, request: ChatRequest, how: Asking) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(DIALECTS[dialect].body(request, asking=how))
    return body


def streamed(dialect: Name, body: str) -> Outcome:
    """As the client reads it; one second for each event."""
    reading: StreamReading = DIALECTS[dialect].stream(started=0.0)
    for second, payload in enumerate(EventSplitter().feed(body.encode()), start=1):
        reading.feed(payload, now=float(second))
    return reading.outcome()


def answered(outcome: Outcome) -> Answer:
    assert isinstance(outcome, Answer), outcome
    return outcome


def test_openai_sends_what_its_library_sends() -> None:
    recorded = golden("openai_stream")["request"]
    request = ChatRequest(
        sample=TALK.sample.model_copy(update={"response_schema": SCHEMA}),
        request_hash="h",
        data_urls=TALK.data_urls,
    )
    assert sent("openai", request, asking("m", structured=True)) == recorded["body"]
    assert DIALECTS["openai"].url("/v1", model="m", stream=True) == recorded["path"]
    assert DIALECTS["openai"].headers("key-1")["Authorization"] == recorded["headers"]["authorization"]


def test_openai_reads_what_its_library_reads() -> None:
    recorded = golden("openai_stream")
    answer, reads = answered(streamed("openai", recorded["answer"]["body"])), recorded["reads"]
    assert (answer.text, answer.finish_reason) == (reads["text"], reads["finish_reason"])
    assert (answer.input_tokens, answer.output_tokens, answer.cached_tokens, answer.image_tokens) == tuple(
        reads["usage"][name] for name in ("prompt", "completion", "cached", "image")
    )
    assert (answer.ttft_s, answer.latency_s, answer.tokens_from) == (2.0, 5.0, "usage")


def test_anthropic_sends_what_its_library_sends() -> None:
    recorded = golden("anthropic_stream")["request"]
    decoding = Decoding(temperature=0.0, max_tokens=64, seed=3, stop=("END",))  # a seed is not known there
    assert sent("anthropic", TALK, asking("claude-x", decoding=decoding)) == recorded["body"]
    assert DIALECTS["anthropic"].url("/v1", model="claude-x", stream=True) == recorded["path"]
    headers = DIALECTS["anthropic"].headers("key-1")
    assert headers.items() <= recorded["headers"].items()
    assert set(headers) == {"x-api-key", "anthropic-version"}


def test_anthropic_asks_for_a_schema_as_its_library_does() -> None:
    decoding = Decoding(temperature=0.0, max_tokens=64)
    body = sent("anthropic", QUESTION, asking("claude-x", decoding=decoding, stream=False, structured=True))
    assert body == golden("anthropic_whole")["request"]["body"]


@pytest.mark.parametrize("version", ["anthropic", "anthropic_2026"])
def test_anthropic_reads_what_its_library_reads(version: str) -> None:
    recorded = golden(f"{version}_stream")
    answer, reads = answered(streamed("anthropic", recorded["answer"]["body"])), recorded["reads"]
    usage = reads["usage"]
    assert (answer.text, answer.finish_reason) == (reads["text"], reads["stop_reason"])
    assert answer.output_tokens == usage["output_tokens"] == 15
    assert answer.input_tokens == usage["input_tokens"] + usage["cache_read_input_tokens"] == 125
    assert answer.cached_tokens == usage["cache_read_input_tokens"] == 100
    assert (answer.ttft_s, answer.latency_s) == (4.0, 8.0)


def test_anthropic_reads_a_whole_answer() -> None:
    recorded = golden("anthropic_whole")
    body = recorded["answer"]["body"].encode()
    answer = answered(DIALECTS["anthropic"].whole(body, latency_s=2.0))
    assert (answer.text, answer.status, answer.finish_reason) == ('{"total": "5"}', "truncated", "max_tokens")
    assert (answer.input_tokens, answer.output_tokens, answer.ttft_s) == (37, 9, None)


def test_anthropic_refuses() -> None:
    answer = answered(streamed("anthropic", golden("anthropic_refusal")["answer"]["body"]))
    assert (answer.status, answer.text, answer.refusal) == ("refused", None, "not this")


def gemini_form(body: dict[str, Any]) -> dict[str, Any]:
    """The library writes `mime_type` and base64 for URLs (JSON of protocol buffers takes both spellings of both), and
    gives the instruction a role that is ignored."""
    plain = json.loads(json.dumps(body).replace('"mime_type"', '"mimeType"'))
    for part in (part for content in plain["contents"] for part in content["parts"]):
        if "inlineData" in part:
            part["inlineData"]["data"] = part["inlineData"]["data"].replace("-", "+").replace("_", "/")
    plain.get("systemInstruction", {}).pop("role", None)
    return dict(plain)


def test_gemini_sends_what_its_library_sends() -> None:
    recorded = golden("gemini_stream")["request"]
    assert sent("gemini", TALK, asking("gemini-x")) == gemini_form(recorded["body"])
    assert DIALECTS["gemini"].url("/v1", model="gemini-x", stream=True) == recorded["path"]
    assert DIALECTS["gemini"].headers("key-1").items() <= recorded["headers"].items()


def test_gemini_asks_for_a_schema_as_its_library_does() -> None:
    recorded = golden("gemini_whole")["request"]
    decoding = Decoding(temperature=0.0, max_tokens=64)
    how = asking("gemini-x", decoding=decoding, stream=False, structured=True)
    assert sent("gemini", QUESTION, how) == gemini_form(recorded["body"])
    assert DIALECTS["gemini"].url("/v1", model="gemini-x", stream=False) == recorded["path"]


def test_gemini_reads_what_its_library_reads() -> None:
    recorded = golden("gemini_stream")
    answer, reads = answered(streamed("gemini", recorded["answer"]["body"])), recorded["reads"]
    usage = reads["usage"]
    assert (answer.text, answer.finish_reason) == (reads["text"], reads["finish_reason"])
    assert (answer.input_tokens, answer.cached_tokens) == (usage["prompt"], usage["cached"])
    assert answer.output_tokens == usage["candidates"] + usage["thoughts"] == 10
    assert (answer.image_tokens, answer.ttft_s, answer.latency_s) == (258, 1.0, 2.0)


def test_gemini_reads_a_whole_answer() -> None:
    body = golden("gemini_whole")["answer"]["body"].encode()
    answer = answered(DIALECTS["gemini"].whole(body, latency_s=2.0))
    assert (answer.text, answer.status) == (golden("gemini_whole")["reads"]["text"], "truncated")


def test_gemini_blocks_a_prompt() -> None:
    answer = answered(streamed("gemini", golden("gemini_blocked")["answer"]["body"]))
    assert (answer.status, answer.text) == ("refused", None)
    assert answer.refusal == "the prompt was blocked: PROHIBITED_CONTENT"


@pytest.mark.parametrize("reason", ["SAFETY", "RECITATION", "SPII"])
def test_gemini_stops_an_answer(reason: str) -> None:
    chunk = {"candidates": [{"content": {"parts": [{"text": "I"}]}, "finishReason": reason}]}
    answer = answered(streamed("gemini", f"data: {json.dumps(chunk)}\n"))
    assert (answer.status, answer.text, answer.finish_reason) == ("refused", None, reason)


def test_gemini_fails_with_a_broken_answer() -> None:
    chunk = {"candidates": [{"content": {}, "finishReason": "MALFORMED_RESPONSE", "finishMessage": "why"}]}
    outcome = streamed("gemini", f"data: {json.dumps(chunk)}\n")
    assert isinstance(outcome, Failure) and outcome.kind == "invalid_response" and "why" in outcome.message


@pytest.mark.parametrize(
    ("dialect", "reason"),
    [
        ("openai", "abort"),
        ("openai", "error"),
        ("openai", "insufficient_system_resource"),
        ("gemini", "OTHER"),
    ],
)
def test_an_answer_that_the_server_gave_up_is_none(dialect: Name, reason: str) -> None:
    """Half a text would be scored as if the model had said so."""
    openai = {"delta": {"content": "half"}, "message": {"content": "half"}, "finish_reason": reason}
    gemini = {"content": {"parts": [{"text": "half"}]}, "finishReason": reason}
    body = json.dumps({"choices": [openai], "candidates": [gemini]})
    for outcome in (
        streamed(dialect, f"data: {body}\n"),
        DIALECTS[dialect].whole(body.encode(), latency_s=1.0),
    ):
        assert isinstance(outcome, Failure) and outcome.kind == "invalid_response" and outcome.retryable
        assert reason in outcome.message


def test_an_error_after_a_part_of_the_answer_may_be_charged() -> None:
    text = {"choices": [{"delta": {"content": "half"}}]}
    error = {"error": {"code": 429, "message": "enough"}}
    begun = streamed("openai", f"data: {json.dumps(text)}\n\ndata: {json.dumps(error)}\n")
    refused = streamed("openai", f"data: {json.dumps(error)}\n")
    assert isinstance(begun, Failure) and isinstance(refused, Failure)
    assert (begun.begun, refused.begun) == (True, False)


def test_mistral_cuts_at_the_length_of_its_model() -> None:
    choice = {"message": {"content": "cut"}, "finish_reason": "model_length"}
    answer = answered(DIALECTS["openai"].whole(json.dumps({"choices": [choice]}).encode(), latency_s=1.0))
    assert (answer.status, answer.text) == ("truncated", "cut")


def test_thoughts_are_tokens_and_no_text() -> None:
    chunks = [
        {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "5"}]}, "finishReason": "STOP"}]},
    ]
    answer = answered(streamed("gemini", "".join(f"data: {json.dumps(chunk)}\n" for chunk in chunks)))
    assert (answer.text, answer.ttft_s) == ("5", 1.0)


@pytest.mark.parametrize(
    ("dialect", "error", "kind", "retryable"),
    [
        ("anthropic", {"type": "overloaded_error", "message": "Overloaded"}, "server_error", True),
        ("anthropic", {"type": "rate_limit_error", "message": "slow down"}, "rate_limited", True),
        ("anthropic", {"type": "invalid_request_error", "message": "no"}, "server_error", False),
        (
            "anthropic",
            {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"},
            "context_overflow",
            False,
        ),
        (
            "openai",
            {"code": 429, "message": "upstream is busy: context window of a minute"},
            "rate_limited",
            True,
        ),
        ("openai", {"code": 400, "message": "no", "type": "BadRequestError"}, "server_error", False),
        ("openai", {"code": 502, "message": "provider"}, "invalid_response", True),
        ("openai", {"code": 400, "message": "context length 9 > 8"}, "context_overflow", False),
        ("openai", {"code": "server_error", "message": "?"}, "invalid_response", True),
        ("gemini", {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}, "server_error", True),
        ("gemini", {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}, "rate_limited", True),
        ("gemini", {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}, "server_error", False),
    ],
)
def test_errors_inside_a_stream(dialect: Name, error: dict[str, Any], kind: str, *, retryable: bool) -> None:
    outcome = streamed(dialect, f"data: {json.dumps({'type': 'error', 'error': error})}\n")
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.retryable) == (kind, retryable)
    assert "error in a 200" in outcome.message


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize(
    "body", [b"", b"[1]", b"{}", b"<html>", b'{"content": 5, "candidates": 5, "choices": 5}']
)
def test_what_is_no_answer_is_told_as_such(dialect: Name, body: bytes) -> None:
    outcome = DIALECTS[dialect].whole(body, latency_s=1.0)
    assert isinstance(outcome, Failure) and outcome.kind == "invalid_response" and outcome.retryable


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_a_stream_that_breaks_off_is_no_answer(dialect: Name) -> None:
    name = {"openai": "openai_stream", "anthropic": "anthropic_stream", "gemini": "gemini_stream"}[dialect]
    body = golden(name)["answer"]["body"]
    half = body[: body.index("ого 5" if "ого 5" in body else "\\u043e\\u0433\\u043e")]
    outcome = streamed(dialect, half + "\n")
    assert isinstance(outcome, Failure) and outcome.retryable


def test_a_schema_is_strict_only_where_it_keeps_the_rules() -> None:
    assert is_closed(SCHEMA)
    assert not is_closed({**SCHEMA, "additionalProperties": True})
    assert not is_closed({**SCHEMA, "required": []})
    assert not is_closed({"type": "array", "items": {"type": "object", "properties": {"a": {}}}})
    assert is_closed({"type": "array", "items": SCHEMA})
    body = sent(
        "openai",
        ChatRequest(
            sample=QUESTION.sample.model_copy(update={"response_schema": {"type": "object"}}),
            request_hash="h",
        ),
        asking("m", structured=True),
    )
    assert body["response_format"]["json_schema"]["strict"] is False


def test_a_server_that_cannot_be_held_to_a_schema_is_not_asked_to() -> None:
    assert "response_format" not in sent("openai", QUESTION, asking("m"))


def test_a_model_with_a_path_is_not_put_among_the_models() -> None:
    url = DIALECTS["gemini"].url("http://h/v1", model="tunedModels/a b", stream=False)
    assert url == "http://h/v1/tunedModels/a%20b:generateContent"


@pytest.mark.parametrize("tokens", [None, 0, 1, True, "4"])
def test_no_tpot_without_a_second_token(tokens: object) -> None:
    reading = DIALECTS["openai"].stream(started=0.0)
    chunk = {"choices": [{"delta": {"content": "a"}}], "usage": {"completion_tokens": tokens}}
    reading.feed(json.dumps(chunk), now=1.0)
    reading.feed("[DONE]", now=2.0)
    assert answered(reading.outcome()).tpot_s is None


def test_ttft_and_latency_of_a_stream() -> None:
    """The role chunk is no token, reasoning is; the usage chunk counts for the latency, [DONE] does not."""
    reading = DIALECTS["openai"].stream(started=10.0)
    for now, delta in (
        (11.0, {"role": "assistant"}),
        (12.0, {"reasoning_content": "hm"}),
        (14.0, {"content": "a"}),
    ):
        reading.feed(json.dumps({"choices": [{"delta": delta}]}), now=now)
    reading.feed('{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 4}}', now=15.0)
    reading.feed("[DONE]", now=99.0)
    answer = answered(reading.outcome())
    assert (answer.ttft_s, answer.latency_s, answer.tpot_s, answer.text) == (2.0, 5.0, 1.0, "a")


def test_content_in_parts() -> None:
    body = b'{"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}]}'
    assert answered(DIALECTS["openai"].whole(body, latency_s=1.0)).text == "ab"
