"""Starts the real server in a process of its own and talks HTTP to it, for the tests of this folder."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import vlmhb_models
import vlmhb_stages

BOOT = "import sys; from vlmhb_models.serve import main; sys.exit(main(sys.argv[1:]))"
SOURCES = [str(Path(package.__path__[0]).parent) for package in (vlmhb_models, vlmhb_stages)]
USER_CODE = Path(__file__).parent / "user_code"
WAIT_S = 60.0


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=WAIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(WAIT_S)
        self.sock.connect(str(self._path))


@dataclass
class Reply:
    status: int
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass
class Served:
    """A running server. `lines` is what it wrote to stderr so far."""

    root: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def socket(self) -> Path:
        return self.root / "sock" / "model.sock"

    def connection(self) -> UnixConnection:
        return UnixConnection(self.socket)

    def get(self, path: str) -> Reply:
        return exchange(self.connection(), method="GET", path=path)

    def post(self, body: Any) -> Reply:
        return exchange(self.connection(), method="POST", path="/v1/chat/completions", body=body)

    def ask(self, text: str, **more: Any) -> Reply:
        return self.post(chat(text, **more))

    def answer(self, text: str, **more: Any) -> str:
        reply = self.ask(text, **more)
        assert reply.status == 200, reply.body
        return str(reply.body["choices"][0]["message"]["content"])

    def wait_for(self, text: str) -> None:
        """Until the server has said `text` on stderr; fails when it ends before."""
        with self._news:
            said = self._news.wait_for(
                lambda: self._said(text) or not self._reader.is_alive(), timeout=WAIT_S
            )
            assert said and self._said(text), f"no {text!r} in:\n" + "".join(self.lines)

    def ended(self) -> int:
        """The exit code, once it has ended and all its words are read."""
        code = self.process.wait(timeout=WAIT_S)
        self._reader.join(timeout=WAIT_S)
        return code

    def _said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


def start(root: Path, *, python: str = sys.executable, **config: Any) -> Served:
    """A server process with `root` in the place of `/vlmhb`; returns at once."""
    (root / "sock").mkdir(parents=True, exist_ok=True)
    defaults = {"name": "toy", "interface": "python", "path": str(USER_CODE), "grace_s": WAIT_S}
    (root / "model.json").write_text(json.dumps({**defaults, **config}))
    paths = os.pathsep.join(SOURCES)
    process = subprocess.Popen(
        [python, "-c", BOOT, "--config", "/vlmhb/model.json"],
        env={**os.environ, "VLMHB_ROOT": str(root), "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    return Served(root=root, process=process)


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "toy", "messages": [{"role": "user", "content": text}], **more}


def with_images(text: str, *urls: str, **more: Any) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    parts.append({"type": "text", "text": text})
    return {"model": "toy", "messages": [{"role": "user", "content": parts}], **more}


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def exchange(connection: http.client.HTTPConnection, *, method: str, path: str, body: Any = None) -> Reply:
    """One request and its answer on `connection`, which stays open."""
    raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    connection.request(method, path, body=raw)
    response = connection.getresponse()
    return Reply(response.status, json.loads(response.read()), dict(response.getheaders()))


def streamed(served: Served, body: dict[str, Any]) -> list[str]:
    """The `data:` payloads of a streamed answer, in order."""
    connection = served.connection()
    connection.request("POST", "/v1/chat/completions", body=json.dumps({**body, "stream": True}).encode())
    response = connection.getresponse()
    assert response.status == 200, response.read()
    assert response.headers["Content-Type"] == "text/event-stream"
    return [block.removeprefix("data: ") for block in response.read().decode().split("\n\n") if block]
