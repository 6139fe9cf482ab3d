"""Answers that are made to break whoever reads them: each ends in one record, and none ends the run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from infer_bench import Bench, sample
from infer_faults import Asked, FaultServer, Handler
from vlmhb_stages.infer.classify import retry_after
from vlmhb_stages.infer.sse import EventSplitter
from vlmhb_stages.specs import HttpBackend, RetryPolicy

ONCE = RetryPolicy(attempts=1, timeout_first_token_s=5, timeout_total_s=10)
CANARY = "sk-canary-0123456789"


def raw(text: str | bytes, *, status: int = 200, kind: str = "application/json") -> Handler:
    async def handler(_server: FaultServer, _request: web.Request, _asked: Asked) -> web.Response:
        body = text.encode() if isinstance(text, str) else text
        return web.Response(body=body, status=status, content_type=kind)

    return handler


def whole(**changes: Any) -> str:
    choice = {"message": {"content": changes.pop("content", "yes")}, "finish_reason": "stop", **changes}
    usage = choice.pop("usage", None)
    return json.dumps({"choices": [choice], "usage": usage})


def told(bench: Bench, handler: Handler) -> tuple[str, str | None, str | None]:
    """Status, text and kind of error of the one record; another sample beside it is answered."""
    bench.write_samples([sample("bad"), sample("good")])
    with FaultServer(always={"bad": handler}) as server:
        bench.run(bench.http(server.base_url, retry=ONCE))
    found = bench.by_id
    assert found["good"].status == "ok"
    record = found["bad"]
    return record.status, record.text, record.error.kind if record.error else None


@pytest.mark.parametrize("number", [10**400, 10**18, -1, "7", None, 2.5])
def test_a_count_that_cannot_be_one_is_none(bench: Bench, number: object) -> None:
    usage = {"prompt_tokens": number, "completion_tokens": number}
    assert told(bench, raw(whole(usage=usage))) == ("ok", "yes", None)
    assert bench.by_id["bad"].input_tokens is None


@pytest.mark.parametrize(("status", "kind"), [(200, "invalid_response"), (500, "server_error")])
def test_json_without_bottom(bench: Bench, status: int, kind: str) -> None:
    assert told(bench, raw("[" * 50_000, status=status)) == ("error", None, kind)


def test_a_stream_without_bottom(bench: Bench) -> None:
    text = "data: " + "[" * 50_000 + "\n\ndata: [DONE]\n\n"
    assert told(bench, raw(text, kind="text/event-stream")) == ("error", None, "invalid_response")


@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [
        ('{"choices":[{"message":{"content":"a"},"finish_reason":"st\\ud800op"}]}', 200, None),
        ('{"error":{"message":"x\\ud800y"}}', 200, "invalid_response"),
        ('{"error":{"message":"x\\ud800y"}}', 400, "server_error"),
    ],
)
def test_half_characters_outside_the_answer(bench: Bench, text: str, status: int, kind: str | None) -> None:
    assert told(bench, raw(text, status=status))[2] == kind


@pytest.mark.parametrize("content", [5, True, {"text": "yes"}])
def test_content_that_is_no_text_is_no_empty_answer(bench: Bench, content: object) -> None:
    assert told(bench, raw(whole(content=content))) == ("error", None, "invalid_response")


def test_the_mark_of_the_end_alone_is_no_empty_answer(bench: Bench) -> None:
    found = told(bench, raw("data: [DONE]\n\n", kind="text/event-stream"))
    assert found == ("error", None, "invalid_response")


def test_a_stream_with_a_byte_order_mark_and_old_line_ends(bench: Bench) -> None:
    chunk = json.dumps({"choices": [{"delta": {"content": "yes"}}]})
    text = f"\ufeffdata: {chunk}\r\rdata: [DONE]\r\r"
    assert told(bench, raw(text, kind="text/event-stream")) == ("ok", "yes", None)


@pytest.mark.parametrize(
    "value",
    ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2026 00:00:00 +99999999999999999999"],
)
def test_a_retry_after_that_is_no_date(value: str) -> None:
    assert retry_after(value, now=0.0) is None


def test_a_line_without_end_is_copied_once() -> None:
    """Two seconds for 64 MiB would be generous; to join all of it at each block takes a minute."""
    splitter = EventSplitter()
    for _ in range(4096):
        assert splitter.feed(b"x" * 16_384) == []
    assert splitter.feed(b"\ndata: 1\n") == ["1"]


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (raw(whole(content=f"your key is {CANARY}")), "ok"),
        (raw(whole(finish_reason=CANARY)), "ok"),
        (raw(f"<html>{CANARY}</html>", status=500), "error"),
    ],
)
def test_a_key_that_is_sent_back_is_not_recorded(bench: Bench, handler: Handler, status: str) -> None:
    (bench.root / "secrets" / "key").write_text(CANARY)
    bench.write_samples([sample("bad")])
    with FaultServer(always={"bad": handler}) as server:
        backend = HttpBackend(base_url=server.base_url, api_key_file="/vlmhb/secrets/key")
        bench.run(bench.spec(backend, retry=ONCE))
    assert bench.by_id["bad"].status == status
    for path in (bench.root / "out").iterdir():
        assert CANARY.encode() not in path.read_bytes()


def test_a_word_in_place_of_a_key_stays_in_the_answer(bench: Bench) -> None:
    (bench.root / "secrets" / "key").write_text("EMPTY")
    bench.write_samples([sample("bad")])
    with FaultServer(always={"bad": raw(whole(content="EMPTY"))}) as server:
        backend = HttpBackend(base_url=server.base_url, api_key_file="/vlmhb/secrets/key")
        bench.run(bench.spec(backend, retry=ONCE))
    assert bench.by_id["bad"].text == "EMPTY"
