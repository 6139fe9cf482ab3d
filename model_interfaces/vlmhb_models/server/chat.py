"""Turns the body of a chat request into a `GenerationRequest`; every refusal names the place."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vlmhb_models.base import GenerationRequest, Message
from vlmhb_models.server.api import invalid
from vlmhb_models.server.media import FetchedImage, fetch_image

ROLES = ("system", "user", "assistant")
Fetch = Callable[[str], FetchedImage]


@dataclass(frozen=True)
class ChatRequest:
    """A parsed request: what goes to the model, and how the client wants the answer."""

    model: str
    generation: GenerationRequest
    stream: bool
    include_usage: bool
    running_usage: bool = False  # token counts with every part (vLLM's `continuous_usage_stats`)


def parse_chat(raw: bytes, *, fetch: Fetch = fetch_image) -> ChatRequest:
    """Raises `ApiError` 400 for a body that is no chat request, `BadImage` for an unusable image."""
    body = _json_object(raw)
    if _number(body, "n", default=1) != 1:
        raise invalid("n: only one answer per request")
    images: list[FetchedImage] = []
    messages = tuple(
        _message(item, place=f"messages[{index}]", images=images, fetch=fetch)
        for index, item in enumerate(_messages(body))
    )
    options = body.get("stream_options")
    return ChatRequest(
        model=_model(body),
        generation=_generation(body, messages=messages, images=images),
        stream=_flag(body, "stream"),
        include_usage=_option(options, "include_usage"),
        running_usage=_option(options, "continuous_usage_stats"),
    )


def _generation(
    body: Mapping[str, Any], *, messages: tuple[Message, ...], images: list[FetchedImage]
) -> GenerationRequest:
    defaults = GenerationRequest(messages=())
    limit = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    max_tokens = int(_number(body, limit, default=defaults.max_tokens))
    if max_tokens < 1:
        raise invalid(f"{limit}: {max_tokens} is not positive")
    temperature = _number(body, "temperature", default=defaults.temperature)
    if temperature < 0:
        raise invalid(f"temperature: {temperature} is negative")
    return GenerationRequest(
        messages=messages,
        images=tuple(image.data for image in images),
        image_paths=tuple(image.path for image in images),
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=None if body.get("top_p") is None else _number(body, "top_p", default=1.0),
        seed=None if body.get("seed") is None else int(_number(body, "seed", default=0)),
        stop=_stop(body.get("stop")),
        schema=_schema(body.get("response_format")),
    )


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError
        raise invalid(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid("the body is not a JSON object")
    return body


def _model(body: Mapping[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise invalid("model: a name is needed")
    return model


def _messages(body: Mapping[str, Any]) -> list[Any]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("messages: a list with at least one message is needed")
    return messages


def _message(item: Any, *, place: str, images: list[FetchedImage], fetch: Fetch) -> Message:
    if not isinstance(item, Mapping):
        raise invalid(f"{place}: an object is needed")
    role, content = item.get("role"), item.get("content")
    if role not in ROLES:
        raise invalid(f"{place}.role: {role!r} is none of {', '.join(ROLES)}")
    if isinstance(content, str):
        return Message(role=role, text=content)
    if not isinstance(content, list):
        raise invalid(f"{place}.content: a text or a list of parts is needed")
    texts: list[str] = []
    before = len(images)
    for index, part in enumerate(content):
        _part(part, place=f"{place}.content[{index}]", texts=texts, images=images, fetch=fetch)
    return Message(role=role, text="\n".join(texts), images=len(images) - before)


def _part(part: Any, *, place: str, texts: list[str], images: list[FetchedImage], fetch: Fetch) -> None:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text" and isinstance(part.get("text"), str):
        texts.append(part["text"])
    elif kind == "image_url":
        value = part.get("image_url")
        url = value.get("url") if isinstance(value, Mapping) else value
        if not isinstance(url, str):
            raise invalid(f"{place}.image_url: a url is needed", code="bad_image")
        images.append(fetch(url))
    else:
        raise invalid(f"{place}: {kind!r} is not a part this server takes (text, image_url)")


def _stop(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise invalid("stop: a text or a list of texts is needed")
    return tuple(items)


def _schema(value: Any) -> dict[str, Any] | None:
    kind = value.get("type") if isinstance(value, Mapping) else value
    if kind is None or kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    wrapper = value.get("json_schema") if kind == "json_schema" else None
    schema = wrapper.get("schema") if isinstance(wrapper, Mapping) else None
    if not isinstance(schema, dict):
        raise invalid("response_format: text, json_object, or json_schema with a schema is needed")
    return schema


def _number(body: Mapping[str, Any], key: str, *, default: float) -> float:
    value = body.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise invalid(f"{key}: {value!r} is not a number")
    return value


def _option(options: Any, key: str) -> bool:
    return isinstance(options, Mapping) and _flag(options, key)


def _flag(body: Mapping[str, Any], key: str) -> bool:
    value = body.get(key)
    if value is not None and not isinstance(value, bool):
        raise invalid(f"{key}: {value!r} is not true or false")
    return bool(value)
