"""Runs a vendor's OpenAI-compatible server in its own image, behind the socket that the driver knows.

The server is a child on 127.0.0.1; what arrives at the socket is passed on as it is. A server that can listen
on a Unix socket gets `{socket}` in its command, and only its life is looked after.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from vlmhb_stages.paths import resolve

from vlmhb_models.base import LoadError
from vlmhb_models.launch_argv import Start, plan_start
from vlmhb_models.launch_child import Child
from vlmhb_models.launch_http import Address, answer, get, refusal
from vlmhb_models.launch_relay import ClientEnd
from vlmhb_models.launch_words import Cause, telling
from vlmhb_models.server.config import ServeConfig
from vlmhb_models.server.listen import bind_unix, remove_stale

log = logging.getLogger(__name__)
EXIT_OK = 0
EXIT_DIED = 1  # it had answered before: worth another start
PROBE_S = 0.1


def launch(config: ServeConfig, *, facts: dict[str, Any]) -> int:
    """Serves until SIGTERM, or until the server ends. Raises `LoadError` when it does not get ready.

    `facts` go into the answer of `/v1/models`."""

    async def run() -> int:
        return await _Launcher(config, start=plan_start(config), facts=facts).run()

    return asyncio.run(run())


class _Launcher:
    def __init__(self, config: ServeConfig, *, start: Start, facts: dict[str, Any]) -> None:
        self._config, self._start = config, start
        self._facts = {"interface": config.interface, "command": list(start.argv), **facts}
        self._state = "loading"  # then `ready`, `stopping` or `failed`
        self._reason = ""
        self._told = asyncio.Event()  # somebody has read the failure on /health
        self._address = Address(port=start.port) if start.port else Address(path=str(start.socket))
        self._health = config.server.health if config.server else "/health"

    async def run(self) -> int:
        listener = await self._listen()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        child = await Child.start(self._start.argv, env=self._start.env)
        log.info("started: %s", " ".join(self._start.argv))
        try:
            return await self._attend(child, stopping=asyncio.ensure_future(stop.wait()))
        finally:
            child.kill_family()
            if listener is not None:
                listener.close()
            if self._config.port is None:
                with suppress(FileNotFoundError):
                    self._start.socket.unlink()

    async def _attend(self, child: Child, *, stopping: asyncio.Future[Any]) -> int:
        ended, ready = asyncio.ensure_future(child.wait()), asyncio.ensure_future(self._until_ready())
        await asyncio.wait([stopping, ended, ready], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not stopping.done() and not ended.done():
            self._state = "ready"
            await asyncio.wait([stopping, ended], return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            log.info("stopping")
            self._state = "stopping"
            await child.stop(grace_s=self._config.grace_s)
            return EXIT_OK
        cause, how = telling(child.output), _ending(ended.result())
        if self._state == "ready":
            return _died(f"the server of model {self._config.name!r} ended with {how}: {cause.words}")
        return await self._refused(cause, how=how)

    async def _until_ready(self) -> None:
        begun = time.monotonic()
        while True:
            reply = await get(self._address, self._health)
            if reply is not None and reply.status == 200:
                break
            await asyncio.sleep(PROBE_S)
        if self._start.port is None:  # the driver may run under another uid, and the folder is private
            self._start.socket.chmod(0o666)
        log.info("model ready after %.1f s", time.monotonic() - begun)

    async def _refused(self, cause: Cause, *, how: str) -> int:
        self._state = "failed"
        self._reason = f"the server ended with {how} before it was ready: {cause.words}"
        if self._start.port is not None:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._told.wait(), timeout=self._config.failed_linger_s)
        raise LoadError(f"model {self._config.name!r}: {self._reason}", hint=cause.hint)

    async def _listen(self) -> asyncio.AbstractServer | None:
        loop = asyncio.get_running_loop()
        if self._start.port is None:
            remove_stale(self._start.socket)
            return None
        if self._config.port is not None:
            return await loop.create_server(self._client, self._config.host, self._config.port)
        path = resolve(str(self._config.socket))
        listening = await loop.create_unix_server(self._client, sock=bind_unix(path))
        log.info("model %s: listening on %s", self._config.name, path)
        return listening

    def _client(self) -> ClientEnd:
        return ClientEnd(address=self._address, own=self._own_answer)

    def _own_answer(self, line: str) -> Awaitable[bytes] | None:
        """`line`: of a request, as it came. None: the server's to answer."""
        wanted = line.rpartition(" ")[0]
        if wanted == "GET /health":
            return self._tell_health()
        if self._state == "failed":
            return _at_once(refusal(self._reason, code="load_failed", status=500))
        if self._state == "loading":
            return _at_once(refusal("the model is loading", code="loading"))
        if self._state == "stopping":
            return _at_once(refusal("the server is stopping", code="stopping"))
        return self._tell_models() if wanted == "GET /v1/models" else None

    async def _tell_health(self) -> bytes:
        if self._state == "failed":
            self._told.set()
            return answer(500, {"status": "failed", "reason": self._reason})
        if self._state != "ready":
            return answer(503, {"status": self._state})
        reply = await get(self._address, self._health)
        if reply is None or reply.status != 200:
            said = f"HTTP {reply.status}" if reply is not None else "nothing"
            return answer(503, {"status": "unhealthy", "reason": f"{self._health} of the server says {said}"})
        return answer(200, {"status": "ok"})

    async def _tell_models(self) -> bytes:
        """The server's own list, and what the launcher knows under `vlmhb`."""
        reply = await get(self._address, "/v1/models")
        told = reply.json() if reply is not None and reply.status == 200 else None
        listed = told.get("data") if isinstance(told, dict) else None
        first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
        entry = {"id": self._config.name, "object": "model", **first, "vlmhb": self._facts}
        return answer(200, {"object": "list", "data": [entry]})


async def _at_once(data: bytes) -> bytes:
    return data


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"


def _died(reason: str) -> int:
    sys.stderr.write(" ".join(f"VHB502: {reason}".split()) + "\n")
    sys.stderr.flush()
    return EXIT_DIED
