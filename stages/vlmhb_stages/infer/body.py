"""Renders a sample into the body of a chat completion request. Pure.

The JSON is put together from pieces, so that an encoded image is copied once and never scanned.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vlmhb_stages.contracts import Message, Sample
from vlmhb_stages.specs import Decoding

_STREAM = b',"stream":true,"stream_options":{"include_usage":true}}'
_WHOLE = b',"stream":false}'


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """A request that is ready to be sent. `core` is the body without the stream options and the last
    brace."""

    sample_id: str
    request_hash: str
    core: bytes

    def body(self, *, stream: bool) -> bytes:
        return self.core + (_STREAM if stream else _WHOLE)


def render_core(sample: Sample, *, data_urls: Sequence[bytes], model: str, decoding: Decoding) -> bytes:
    """`data_urls` are the sample's images, in order; they go before the text of the first user message."""
    messages = list(sample.messages)
    if data_urls and all(message.role != "user" for message in messages):
        messages.append(Message(role="user", content=""))
    first = next((i for i, message in enumerate(messages) if message.role == "user"), None)
    rendered = [
        _with_images(message, data_urls) if i == first and data_urls else _json(message.model_dump())
        for i, message in enumerate(messages)
    ]
    options = b",".join(_json(key) + b":" + _json(value) for key, value in _options(decoding).items())
    return b'{"model":' + _json(model) + b',"messages":[' + b",".join(rendered) + b"]," + options


def _with_images(message: Message, data_urls: Sequence[bytes]) -> bytes:
    parts = [b'{"type":"image_url","image_url":{"url":"' + url + b'"}}' for url in data_urls]
    if message.content:
        parts.append(_json({"type": "text", "text": message.content}))
    return b'{"role":' + _json(message.role) + b',"content":[' + b",".join(parts) + b"]}"


def _options(decoding: Decoding) -> dict[str, Any]:
    options: dict[str, Any] = {"temperature": decoding.temperature, "max_tokens": decoding.max_tokens}
    if decoding.seed is not None:
        options["seed"] = decoding.seed
    if decoding.top_p is not None:
        options["top_p"] = decoding.top_p
    if decoding.stop:
        options["stop"] = list(decoding.stop)
    return options


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
