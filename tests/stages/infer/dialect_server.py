"""Servers on loopback that speak the vendors' protocols, event by event, with pauses in between."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web
from infer_faults import Asked, FaultServer, Handler

Json = dict[str, Any]


def events(*items: Json | float, named: bool = False) -> Handler:
    """A stream of JSON events; a number is a pause. `named`: with `event:` lines, as Anthropic sends them."""

    async def handler(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        for item in items:
            if isinstance(item, int | float):
                await asyncio.sleep(item)
                continue
            head = f"event: {item['type']}\n" if named else ""
            await response.write(f"{head}data: {json.dumps(item)}\n\n".encode())
        return response

    return handler


def anthropic_says(*texts: str, pause: float = 0.0, stop: str = "end_turn") -> Handler:
    usage = {"input_tokens": 9, "cache_read_input_tokens": 0, "output_tokens": 1}
    items: list[Json | float] = [
        {"type": "message_start", "message": {"role": "assistant", "content": [], "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    for text in texts:
        items += [
            pause,
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        ]
    items += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": len(texts)}},
        {"type": "message_stop"},
    ]
    return events(*items, named=True)


def gemini_says(*texts: str, pause: float = 0.0, finish: str = "STOP") -> Handler:
    items: list[Json | float] = []
    for number, text in enumerate(texts, start=1):
        candidate: Json = {"content": {"role": "model", "parts": [{"text": text}]}}
        if number == len(texts):
            candidate["finishReason"] = finish
        usage = {"promptTokenCount": 9, "candidatesTokenCount": number}
        items += [pause, {"candidates": [candidate], "usageMetadata": usage}]
    return events(*items)


class DialectServer(FaultServer):
    """Besides OpenAI's path, those of Anthropic and Gemini lead to the same handlers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.paths: list[str] = []

    def _routes(self, app: web.Application) -> None:
        super()._routes(app)
        app.router.add_post("/v1/messages", self._noted)
        app.router.add_post("/v1/models/{call}", self._noted)
        app.router.add_get("/v1/models/{model}", self._model)

    async def _noted(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path_qs)
        return await self._chat(request)

    async def _model(self, request: web.Request) -> web.Response:
        return web.json_response({"name": request.match_info["model"], "type": "model"})
