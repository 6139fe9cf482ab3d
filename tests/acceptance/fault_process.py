"""A chat server in a process of its own that follows `fault_plan`: `python fault_process.py PORT LOG`.

Each request is a line of LOG before anything else happens, so that a server that was killed goes on counting."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import sys
from collections import Counter
from pathlib import Path

from aiohttp import web
from fault_plan import fault

DELAY_S = 0.02
DRIP_S = 0.15
SSE = {"Content-Type": "text/event-stream"}


class Server:
    def __init__(self, log: Path) -> None:
        self._counts: Counter[int] = Counter()
        if log.exists():
            self._counts.update(json.loads(line)["number"] for line in log.read_bytes().splitlines())
        self._log = log.open("ab", buffering=0)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        found = re.search(rb"ask (\d+)", body)
        assert found is not None
        number = int(found[1])
        self._counts[number] += 1
        met = fault(number, self._counts[number])
        self._log.write(json.dumps({"number": number, "fault": met}).encode() + b"\n")
        answer = f"answer to {number} image {hashlib.sha256(_image(body)).hexdigest()[:12]}"
        return await _respond(request, met, answer=answer)


def _image(body: bytes) -> bytes:
    start = body.index(b";base64,") + len(b";base64,")
    return body[start : body.index(b'"', start)]


async def _respond(request: web.Request, met: str, *, answer: str) -> web.StreamResponse:
    await asyncio.sleep(DELAY_S)
    if met in ("429", "429 with Retry-After"):
        headers = {"Retry-After": "1"} if met != "429" else {}
        return web.json_response({"error": {"message": "slow down"}}, status=429, headers=headers)
    if met == "500":
        return web.json_response({"error": {"message": "broken on purpose"}}, status=500)
    if met == "context overflow":
        message = "This model's maximum context length is 4096 tokens, however you requested 9000 tokens"
        return web.json_response({"error": {"message": message}}, status=400)
    if met == "hang before":
        await asyncio.sleep(3600)
    if met == "truncated JSON":
        return web.Response(
            body=b'{"choices": [{"message": {"content": "half', content_type="application/json"
        )
    if met == "wrong content type":
        return web.Response(body=b"<html>back soon</html>", content_type="text/html")
    return await _stream(request, met, answer=answer)


async def _stream(request: web.Request, met: str, *, answer: str) -> web.StreamResponse:
    response = web.StreamResponse(headers=SSE)
    await response.prepare(request)
    words = answer.split(" ")
    for place, word in enumerate(words):
        await response.write(_chunk({"content": word if place == 0 else f" {word}"}))
        if met == "slow drip":
            await asyncio.sleep(DRIP_S)
        if place == 1 and met == "hang in the middle":
            await asyncio.sleep(3600)
        if place == 1 and met in ("reset", "truncated stream"):
            if met == "reset" and request.transport is not None:
                request.transport.abort()
            return response
    await response.write(_chunk({}, finish="stop"))
    usage = {"prompt_tokens": 100, "completion_tokens": len(words)}
    await response.write(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    return response


def _chunk(delta: dict[str, str], *, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def main() -> None:
    logging.disable()  # clients that are killed leave connections behind that break
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", Server(Path(sys.argv[2])).chat)
    app.router.add_get("/v1/models", lambda _: _models())
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, reuse_address=True)


async def _models() -> web.Response:
    return web.json_response({"data": [{"id": "fault-model"}]})


if __name__ == "__main__":
    main()
