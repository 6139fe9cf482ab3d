"""Speaks HTTP for one model: health, model list and chat completions, whole or streamed."""

from __future__ import annotations

import select
import socket
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from vlmhb_models.base import Generation, RequestError
from vlmhb_models.server.api import (
    DONE,
    ApiError,
    Envelope,
    Json,
    encode,
    event,
    invalid,
    model_list,
    model_raised,
    unavailable,
)
from vlmhb_models.server.chat import ChatRequest, parse_chat
from vlmhb_models.server.checking import ModelRaised
from vlmhb_models.server.config import ServeConfig
from vlmhb_models.server.inflight import InFlight
from vlmhb_models.server.jobs import Job
from vlmhb_models.server.worker import Worker

DRAIN_BLOCK = 1 << 20  # bytes read at once from a body that is refused


class ChatHandler(BaseHTTPRequestHandler):
    """One connection. Subclassed by `handler_for`, which fills in the class attributes."""

    config: ServeConfig
    worker: Worker
    in_flight: InFlight
    started: int

    protocol_version = "HTTP/1.1"
    server_version = "vlmhb"
    sys_version = ""
    wbufsize = -1  # one write per answer: headers and body together

    def do_GET(self) -> None:
        if self.path == "/health":
            self._health()
        elif self.path == "/v1/models":
            self._guarded(self._models)
        else:
            self._guarded(self._no_such_path)

    def do_POST(self) -> None:
        with self.in_flight:
            self._guarded(self._chat if self.path == "/v1/chat/completions" else self._no_such_path)

    def _health(self) -> None:
        state = self.worker.state
        if self.in_flight.closed:
            self._send(503, {"status": "stopping"})
        elif state.status == "ready":
            self._send(200, {"status": "ok"})
        elif state.status == "loading":
            self._send(503, {"status": "loading"})
        else:
            self._send(500, {"status": "failed", "reason": state.reason})
            self.in_flight.failure_told.set()

    def _models(self) -> None:
        config, details = self.config, self.worker.state.details
        self._send(
            200,
            model_list(name=config.name, interface=config.interface, created=self.started, details=details),
        )

    def _no_such_path(self) -> None:
        if "Content-Length" in self.headers:
            self._read_body()  # else the connection could not go on
        raise invalid(f"{self.command} {self.path}: no such path", code="not_found", status=404)

    def _chat(self) -> None:
        raw = self._read_body()
        self._check_ready()
        chat = parse_chat(raw)
        if chat.model != self.config.name:
            message = f"model: {chat.model!r} is not served here, only {self.config.name!r}"
            raise invalid(message, code="model_not_found", status=404)
        job = Job(request=chat.generation, stream=chat.stream, alive=self._client_waits)
        self.worker.submit(job)
        envelope = Envelope(
            id=f"chatcmpl-{uuid.uuid4().hex}", created=int(time.time()), model=self.config.name
        )
        if chat.stream:
            self._stream(job, envelope=envelope, chat=chat)
        else:
            self._whole(job, envelope=envelope)

    def _check_ready(self) -> None:
        state = self.worker.state
        if self.in_flight.closed:
            raise unavailable("the server is stopping", code="stopping")
        if state.status == "loading":
            raise unavailable("the model is loading", code="loading")
        if state.status == "failed":
            raise ApiError(500, state.reason, type_="server_error", code="load_failed")

    def _whole(self, job: Job, *, envelope: Envelope) -> None:
        for piece in job.pieces():
            if isinstance(piece, Generation):
                self._send(200, envelope.completion(piece))

    def _stream(self, job: Job, *, envelope: Envelope, chat: ChatRequest) -> None:
        """Headers go out with the first piece, so that a model that raises at once still gives a 500."""
        begun = False
        try:
            for piece in job.pieces():
                if not begun:
                    self._begin_stream(envelope, whole=isinstance(piece, Generation))
                if isinstance(piece, Generation):
                    if not begun:  # a model without own streaming: its whole answer is the only piece
                        self._event(envelope.chunk(delta={"content": piece.text}))
                    self._end_stream(piece, envelope=envelope, include_usage=chat.include_usage)
                else:
                    self._event(envelope.part_chunk(piece, running_usage=chat.running_usage))
                begun = True
        except ModelRaised as raised:
            if not begun:
                raise
            self._event(_refusal(raised.error).body())
            self._finish_chunks()

    def _begin_stream(self, envelope: Envelope, *, whole: bool) -> None:
        """`whole`: the answer was complete before its first byte was sent, so that byte's time tells nothing."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Vlmhb-Stream", "whole" if whole else "parts")
        self.end_headers()
        self._event(envelope.chunk(delta={"role": "assistant", "content": ""}))

    def _end_stream(self, generation: Generation, *, envelope: Envelope, include_usage: bool) -> None:
        self._event(envelope.last_chunk(generation))
        if include_usage:
            self._event(envelope.usage_chunk(generation))
        self._chunk(DONE)
        self._finish_chunks()

    def _event(self, body: Json) -> None:
        self._chunk(event(body))

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _finish_chunks(self) -> None:
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _guarded(self, action: Callable[[], None]) -> None:
        """Every refusal and every exception of the model becomes an error object, the connection lives on."""
        try:
            action()
        except ModelRaised as raised:
            refusal = _refusal(raised.error)
            self._send(refusal.status, refusal.body())
        except (ApiError, RequestError) as error:
            refusal = _refusal(error)
            self._send(refusal.status, refusal.body())

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length")
        if length is None or not length.isdigit():
            self.close_connection = True
            raise invalid("Content-Length is needed", code="length_required", status=411)
        size, limit = int(length), self.config.max_body_bytes
        if size > limit:
            self._discard(size)
            message = f"the body has {size} bytes, at most {limit} are taken"
            raise invalid(message, code="request_too_large", status=413)
        return self.rfile.read(size)

    def _discard(self, size: int) -> None:
        """Reads a refused body to its end: closing on unread data would lose the refusal on its way."""
        while size > 0:
            block = self.rfile.read(min(size, DRAIN_BLOCK))
            if not block:
                break
            size -= len(block)

    def _client_waits(self) -> bool:
        """False once the client has closed its side (nothing else is readable while it waits)."""
        connection: socket.socket = self.connection
        try:
            poller = select.poll()
            poller.register(connection, select.POLLIN)
            return not poller.poll(0) or connection.recv(1, socket.MSG_PEEK) != b""
        except (OSError, ValueError):  # ValueError: the connection is closed on our side already
            return False

    def _send(self, status: int, body: Json) -> None:
        data = encode(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """The base class's own refusals (bad request line, unknown method), as error objects."""
        del explain
        self.close_connection = True
        self._send(code, invalid(message or HTTPStatus(code).phrase, code="bad_request").body())

    def log_message(self, format: str, *args: Any) -> None:
        """No line per request: the driver's journal has them all."""

    def address_string(self) -> str:
        return "driver"


def _refusal(error: BaseException) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, RequestError):
        return invalid(str(error), code=error.code)
    return model_raised(error)


def handler_for(config: ServeConfig, *, worker: Worker, in_flight: InFlight) -> type[ChatHandler]:
    """The handler class of one server: `http.server` wants a class, so its parts are class attributes."""
    attributes = {"config": config, "worker": worker, "in_flight": in_flight, "started": int(time.time())}
    return type("BoundChatHandler", (ChatHandler,), attributes)
