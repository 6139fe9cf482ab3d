"""The pure parts: server-sent events, Retry-After, wording of errors, addresses, counts."""

from __future__ import annotations

import json
from email.utils import formatdate

import aiohttp
import pytest
from vlmhb_stages.contracts import Prediction, SampleError, Status
from vlmhb_stages.infer.classify import (
    error_message,
    from_exception,
    from_status,
    retry_after,
)
from vlmhb_stages.infer.endpoint import http_endpoint
from vlmhb_stages.infer.sse import EventSplitter
from vlmhb_stages.infer.tally import Fate, Tally
from vlmhb_stages.specs import HttpBackend

STREAM = 'data: {"a": 1}\n\n: comment\r\nevent: x\r\ndata:{"ё": 2}\r\n\r\ndata: [DONE]\n\n'.encode()


def test_events_come_out_the_same_however_the_bytes_arrive() -> None:
    for size in range(1, len(STREAM) + 1):
        splitter = EventSplitter()
        found = [p for at in range(0, len(STREAM), size) for p in splitter.feed(STREAM[at : at + size])]
        assert found == ['{"a": 1}', '{"ё": 2}', "[DONE]"]


def test_a_line_without_its_end_is_not_told() -> None:
    assert EventSplitter().feed(b'data: {"a"') == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_retry_after_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, now=0.0) == seconds


def test_retry_after_dates() -> None:
    date = formatdate(1_800_000_030, usegmt=True)
    assert retry_after(date, now=1_800_000_000.0) == 30.0
    assert retry_after(date, now=1_800_000_099.0) == 0.0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "m", "code": "c", "type": "t"}}', "m (c, t)"),
        (b'{"error": {"message": "m", "code": null}}', "m"),
        (b'{"error": "plain"}', "plain"),
        (b'{"detail": "of FastAPI"}', "of FastAPI"),
        (b"<h1>Bad gateway</h1>", "<h1>Bad gateway</h1>"),
        (b"[1]", "[1]"),
        (b"", ""),
        (b"\xff", "\ufffd"),
    ],
)
def test_error_messages(body: bytes, message: str) -> None:
    assert error_message(body) == message


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
        "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
        "the request exceeds the available context size. try increasing the context size",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "context overflow",
        "Input is too long for requested model.",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "The input token count (1234567) exceeds the maximum number of tokens allowed (1048575).",
        "The image item with 5000 tokens exceeds the pre-allocated encoder cache size 4096.",
    ],
)
def test_wordings_of_context_overflow(message: str) -> None:
    failure = from_status(400, headers={}, body=json.dumps({"error": {"message": message}}).encode(), now=0)
    assert (failure.kind, failure.status, failure.retryable) == (
        "context_overflow",
        "context_overflow",
        False,
    )


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Could not process image"),
        (400, "Unable to process input image. Please retry or report in the forum."),
        (
            400,
            "You uploaded an unsupported image. Please make sure your image has of one the following formats",
        ),
        (400, "cannot identify image file <_io.BytesIO object>"),
        (500, "Failed to load image: cannot identify image file"),
        (400, "messages.0.content.0.image: image exceeds 5 MB maximum: 6291456 bytes > 5242880 bytes"),
        (400, "At least one of the image dimensions exceed max allowed size: 8000 pixels"),
        (400, "no such picture (bad_image, 400)"),
    ],
)
def test_wordings_of_an_image_that_is_refused(status: int, message: str) -> None:
    failure = from_status(
        status, headers={}, body=json.dumps({"error": {"message": message}}).encode(), now=0
    )
    assert (failure.kind, failure.retryable) == ("bad_image", False)


def test_a_rate_limit_in_tokens_is_no_overflow() -> None:
    failure = from_status(429, headers={}, body=b"too many tokens per minute", now=0)
    assert (failure.kind, failure.retryable) == ("rate_limited", True)


def test_a_content_filter_that_answers_400_is_a_refusal() -> None:
    failure = from_status(
        400, headers={}, body=b'{"error": {"message": "x", "code": "content_filter"}}', now=0
    )
    assert (failure.status, failure.retryable) == ("refused", False)


def test_connection_errors_never_show_request_headers() -> None:
    info = aiohttp.RequestInfo(url=None, method="POST", headers={"Authorization": "Bearer k3y"})  # type: ignore[arg-type]
    failure = from_exception(aiohttp.ClientResponseError(info, (), status=400, message="bad line"))
    assert "k3y" not in failure.message and failure.kind == "invalid_response"


@pytest.mark.parametrize(
    ("url", "chat"),
    [
        ("http://h:8000", "http://h:8000/v1/chat/completions"),
        ("http://h:8000/", "http://h:8000/v1/chat/completions"),
        ("https://h/v1/", "https://h/v1/chat/completions"),
        ("https://h/proxy/openai", "https://h/proxy/openai/v1/chat/completions"),
        ("https://h/v1beta/openai", "https://h/v1beta/openai/chat/completions"),
    ],
)
def test_base_urls(url: str, chat: str) -> None:
    endpoint = http_endpoint(HttpBackend(base_url=url), secret=None)
    assert endpoint.dialect.url(endpoint.base, model="m", stream=True) == chat


@pytest.mark.parametrize(
    "url", ["https://h/openai?api-version=2024-10-21", "https://h/v1#top", "ftp://h", "h/v1"]
)
def test_what_is_no_base_url(url: str) -> None:
    with pytest.raises(ValueError, match="the base URL"):
        http_endpoint(HttpBackend(base_url=url), secret=None)


def test_an_endpoint_does_not_show_its_key() -> None:
    assert "k3y" not in repr(http_endpoint(HttpBackend(base_url="http://h"), secret="k3y"))


def test_counts() -> None:
    tally = Tally()
    tally.planned = 6
    states: list[Status] = ["ok", "truncated", "refused", "context_overflow", "error", "skipped_budget"]
    for status in states:
        error = SampleError(kind="timeout", message="") if status == "error" else None
        tally.add(Fate.of(Prediction(sample_id="s", request_hash="h", status=status, error=error)))
    assert tally.counts.model_dump() == {"planned": 6, "ok": 2, "error": 3, "skipped": 1}
    assert tally.is_complete and tally.answers_are_all_empty and tally.error_kinds == {"timeout": 1}
