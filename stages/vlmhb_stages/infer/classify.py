"""Which failure an HTTP answer or a broken connection is, and whether asking again can help. Pure.

Messages come as the server wrote them, at any length: who knows the key hides it there, and cuts them only
then.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from vlmhb_stages.infer.outcomes import Failure

_OVERFLOW = re.compile(
    r"context[ _-]?(length|window|size|limit|overflow)|context_length_exceeded|exceed_context_size|max_model_len"
    r"|maximum (model|context|sequence|input) length|longer than the (model'?s )?(maximum|context)"
    r"|(prompt|input|request) (is )?too long|too many (input |prompt )?tokens"
    r"|exceeds the maximum number of tokens|exceeds the pre-allocated encoder cache",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content[_ ]?filter|ResponsibleAIPolicyViolation|content management policy", re.IGNORECASE
)
_OUT_OF_MEMORY = re.compile(
    r"out of (GPU )?memory|OutOfMemory|(CUDA|HIP|CUBLAS|CUDNN)\w* ?(error)?:? ?\w*(ALLOC_FAILED|memory allocation)"
    r"|failed to allocate .{0,40}memory|not enough (GPU )?memory",
    re.IGNORECASE,
)
# The code that our own servers give; Anthropic, Gemini, OpenAI, and vLLM with Pillow's words.
_BAD_IMAGE = re.compile(
    r"\(bad_image\b|could not process image|unable to process input image|unsupported image|invalid image"
    r"|cannot identify image file|failed to (load|decode) image|image dimensions exceed|image exceeds \d",
    re.IGNORECASE,
)
_MISSPOKE = re.compile(r"\(invalid_response\b")  # likewise: a closed program broke its contract
_TIME_OUTS = (408, 504, 524)  # 524: Cloudflare's, for a server behind it that took too long
_CLEAR = (401, 403, 404, 408, 413, 429)  # whatever the words beside them are


def from_status(status: int, *, headers: Mapping[str, str], body: bytes, now: float) -> Failure:
    """The failure behind an HTTP status other than 200. `now` in seconds since the epoch, for Retry-After
    dates."""
    message = error_message(body) or "no message"
    failure = _by_status(status, f"HTTP {status}: {message}")
    if status not in _CLEAR:
        failure = _by_wording(message, failure)
    wait = retry_after(headers.get("Retry-After"), now=now)
    return replace(failure, status_code=status, retry_after_s=wait)


def from_error_object(error: object) -> Failure:
    """The failure behind an error object that came with HTTP 200, whole or inside a stream. A code of 4xx is the
    status that it would have had; what broke after the answer had begun is a broken answer."""
    message = _described(error)
    code = error.get("code") if isinstance(error, dict) else None
    told = f"error in a 200: {message}"
    if isinstance(code, int) and 400 <= code < 500:
        failure = replace(_by_status(code, told), status_code=code)
        return failure if code in _CLEAR else _by_wording(message, failure)
    failure = Failure(kind="invalid_response", message=told, retryable=True, status_code=200)
    return _by_wording(message, failure)


def from_exception(error: aiohttp.ClientError | asyncio.TimeoutError | OSError) -> Failure:
    """The failure behind a request that never came to an HTTP answer, or whose answer broke off."""
    if isinstance(
        error, asyncio.TimeoutError
    ):  # our own phases are timed in the client: this one is the connect
        return Failure(
            kind="timeout", message="no connection in time", retryable=True, server="gone", sent=False
        )
    if isinstance(error, aiohttp.InvalidURL):
        return Failure(kind="connection", message="the base URL is not a URL", retryable=False, sent=False)
    if isinstance(error, aiohttp.ClientResponseError):  # str() of it would show the request's headers
        return invalid(f"not HTTP: {error.message}")
    text = f"{type(error).__name__}: {error}"
    sent = not isinstance(error, aiohttp.ClientConnectorError)
    return Failure(kind="connection", message=text, retryable=True, server="gone", sent=sent)


def invalid(message: str) -> Failure:
    """An answer that does not follow the protocol; a broken one may well come whole the next time."""
    return Failure(kind="invalid_response", message=message, retryable=True, status_code=200)


def retry_after(value: str | None, *, now: float) -> float | None:
    """Seconds to wait from a Retry-After header: a number, or a date minus `now`; None if absent or
    unreadable."""
    if value is None:
        return None
    if re.fullmatch(r"\s*-?\d{1,9}(\.\d+)?\s*", value):
        return max(0.0, float(value))
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):  # the latter: a year or a zone that no date can have
        return None


def error_message(body: bytes) -> str:
    """What the server says went wrong, from an OpenAI-style error object or else from the text itself."""
    text = body.decode("utf-8", "replace").strip()
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return _described(data.get("error", data) if isinstance(data, dict) else data)


def _described(error: object) -> str:
    if not isinstance(error, dict):
        return str(error)
    parts: list[Any] = [error.get("message") or error.get("detail"), error.get("code"), error.get("type")]
    words = [str(part) for part in parts if part]
    if not words:
        return str(error)
    return f"{words[0]} ({', '.join(words[1:])})" if words[1:] else words[0]


def _by_status(status: int, message: str) -> Failure:
    if status == 429:
        return Failure(kind="rate_limited", message=message, retryable=True)
    if status in _TIME_OUTS:
        return Failure(kind="timeout", message=message, retryable=True)
    if status == 413:  # the body is too large, whatever it holds
        return Failure(kind="context_overflow", message=message, retryable=False)
    if status == 503:  # a server of ours that is loading says so in /health as well
        return Failure(kind="server_error", message=message, retryable=True, server="gone")
    return Failure(kind="server_error", message=message, retryable=status == 409 or status >= 500)


def _by_wording(message: str, otherwise: Failure) -> Failure:
    """Out of memory is no verdict on the request: alone, or after a restart, it may well have room."""
    if _OUT_OF_MEMORY.search(message):
        return replace(otherwise, kind="out_of_memory", retryable=True, server="fine")
    if _OVERFLOW.search(message):
        return replace(otherwise, kind="context_overflow", retryable=False, server="fine")
    if _MISSPOKE.search(message):
        return replace(otherwise, kind="invalid_response", retryable=True, server="fine")
    if _BAD_IMAGE.search(message):
        return replace(otherwise, kind="bad_image", retryable=False, server="fine")
    if _FILTERED.search(message):
        return replace(otherwise, kind="content_filter", retryable=False, server="fine")
    return otherwise
