"""Model servers that attack the driver: each ends in one record within its limits, and the other samples are answered.

Nesting, half characters and wrong types inside an answer: tests/stages/infer/test_infer_hostile_answers.py."""

from __future__ import annotations

import gzip
import json
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from infer_bench import Bench, sample
from vlmhb_stages.contracts import Prediction
from vlmhb_stages.specs import HttpBackend, RetryPolicy

KEY = "sk-canary-0123456789abcdef"
ONCE = RetryPolicy(attempts=1, timeout_first_token_s=1.5, timeout_token_s=1.5, timeout_total_s=3)
MOST_MIB = 700  # of memory that any of these may take: a few times the 64 MiB that an answer may have
Speaker = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n"
ANSWER = json.dumps({"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}).encode()


class RawServer:
    """Speaks bytes, not HTTP: to the sample `bad` what it is told to, to all others a right answer."""

    def __init__(self, speak: Speaker, *, path: Path | None = None) -> None:
        self._speak, self.seen = speak, list[bytes]()
        self._listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._listener.bind(str(path) if path else ("127.0.0.1", 0))
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self) -> RawServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            asked = _request(connection)
            self.seen.append(asked)
            if b"ask bad" in asked:
                self._speak(connection)
            elif asked.startswith(b"POST"):
                connection.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER)
            else:
                connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def saying(*parts: bytes, again: bytes = b"", times: int = 10**9) -> Speaker:
    """`parts`, then `again` as often as it is taken."""

    def speak(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
        for _ in range(times if again else 0):
            connection.sendall(again)

    return speak


def falling_silent(*parts: bytes) -> Speaker:
    def speak(connection: socket.socket) -> None:
        saying(*parts)(connection)
        with suppress(OSError):
            while connection.recv(1):
                pass

    return speak


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def packed(data: bytes) -> bytes:
    return OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data) + data


EVENT = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
LAST = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
TOO_MUCH = {"invalid_response", "timeout"}  # by size or by time, whichever comes first
SERVERS: dict[str, tuple[Speaker, set[str]]] = {
    "a gigabyte": (saying(OK + b"\r\n", again=b"x" * 65536, times=16384), {"invalid_response"}),
    "a gigabyte of events": (saying(EVENTS + b"\r\n", again=EVENT * 2000, times=16384), TOO_MUCH),
    "one line of a gigabyte": (saying(EVENTS + b"\r\n", again=b"x" * 65536, times=16384), {"invalid_response"}),
    "chunks without end": (
        saying(OK + b"Transfer-Encoding: chunked\r\n\r\n", again=chunked(b" " * 65536)), {"invalid_response"},
    ),
    "comments without end": (saying(EVENTS + b"\r\n", again=b": still here\n\n" * 4000), TOO_MUCH),
    "headers without end": (saying(OK, again=b"X-A: b\r\n" * 4000), {"invalid_response"}),
    "one header without end": (saying(OK + b"X-A: ", again=b"b" * 65536), {"invalid_response"}),
    "a status line without end": (saying(again=b"H" * 65536), {"invalid_response"}),
    "a gzip bomb": (saying(packed(gzip.compress(bytes(1 << 30), 1))), {"invalid_response", "connection"}),
    "gzip that is none": (saying(packed(b"\x1f\x8b" + b"x" * 999)), {"invalid_response", "connection"}),
    "binary": (saying(OK + b"Content-Length: 256\r\n\r\n" + bytes(range(256))), {"invalid_response"}),
    "binary instead of HTTP": (saying(bytes(range(256)) * 9), {"invalid_response"}),
    "a TLS alert": (saying(b"\x15\x03\x01\x00\x02\x02\x50"), {"invalid_response"}),
    "nothing at all": (saying(), {"connection"}),
    "less than it says": (saying(OK + b"Content-Length: 99999\r\n\r\n{"), {"connection", "invalid_response"}),
    "a length that is none": (saying(OK + b"Content-Length: -5\r\n\r\n{}"), {"invalid_response"}),
    "two lengths": (saying(OK + b"Content-Length: 2\r\nContent-Length: 99\r\n\r\n{}"), {"invalid_response"}),
    "a chunk of a huge size": (
        saying(OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"), {"invalid_response", "connection"},
    ),
    "silence": (falling_silent(), {"timeout"}),
    "silence after the headers": (falling_silent(OK + b"Content-Length: 9\r\n\r\n"), {"timeout"}),
    "silence in the answer": (falling_silent(EVENTS + b"\r\n" + EVENT), {"timeout"}),
    "a digit without end": (
        saying(OK + b"Content-Length: 9000\r\n\r\n" + b"9" * 9000), {"invalid_response"},
    ),
}  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@contextmanager
def running(speak: Speaker) -> Iterator[RawServer]:
    with RawServer(speak) as server:
        yield server


def asked(bench: Bench, server: RawServer, **backend: Any) -> dict[str, Prediction]:
    bench.write_samples([sample("bad"), sample("good")])
    bench.run(bench.spec(HttpBackend(base_url=server.url, **backend), retry=ONCE))
    found = bench.by_id
    assert found["good"].text == "yes"
    return found


@pytest.mark.parametrize("name", SERVERS)
def test_one_record_within_limits(bench: Bench, name: str) -> None:
    speak, kinds = SERVERS[name]
    before, started = peak_mib(), time.monotonic()
    with running(speak) as server:
        found = asked(bench, server)["bad"]
    assert found.status == "error"
    assert found.error is not None
    assert found.error.kind in kinds, found.error
    assert len(found.error.message) <= 600
    assert time.monotonic() - started < 20
    assert peak_mib() - before < MOST_MIB


@pytest.mark.parametrize("count", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_many_events_are_one_answer(bench: Bench, count: int) -> None:
    """A million of them are 46 MB: below the limit of an answer, so it is taken as it is, in time."""
    speak = saying(EVENTS + b"\r\n", EVENT * count, LAST)
    patient = RetryPolicy(attempts=1, timeout_total_s=60)
    with running(speak) as server:
        bench.write_samples([sample("bad"), sample("good")])
        bench.run(bench.spec(HttpBackend(base_url=server.url), retry=patient))
    assert bench.by_id["bad"].text == "a" * count
    assert bench.by_id["good"].text == "yes"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_the_key_follows_no_redirect(bench: Bench, code: int) -> None:
    (bench.root / "secrets" / "key").write_text(KEY)
    with running(saying()) as other:
        told = b"HTTP/1.1 %d Moved\r\nConnection: close\r\nLocation: %s/chat/completions\r\nContent-Length: 0\r\n\r\n"
        with running(saying(told % (code, other.url.encode()))) as server:
            found = asked(bench, server, api_key_file="/vlmhb/secrets/key")["bad"]
        assert other.seen == []
    assert found.error is not None
    assert any(KEY.encode() in request for request in server.seen)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
        b"HTTP/1.1 500 No\r\nConnection: close\r\nX-Echo: %.0s\r\nContent-Length: %d\r\n\r\n%s",
        b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX: %d\r\n\r\ndata: {"error": "%s"}\n\n',
        b"%.0d%s is not HTTP\r\n\r\n",
    ],
)
def test_a_key_that_is_sent_back_stays_nowhere(bench: Bench, answer: bytes) -> None:
    (bench.root / "secrets" / "key").write_text(KEY)
    body = f"the key {KEY} is wrong".encode()
    answer = answer.replace(b"%.0s", b"no")
    with running(saying(answer % (len(body), body))) as server:
        asked(bench, server, api_key_file="/vlmhb/secrets/key")
    written = [path for path in (bench.root / "out").rglob("*") if path.is_file()]
    assert len(written) >= 3
    assert not any(KEY.encode() in path.read_bytes() for path in written)


def test_a_socket_of_our_own_server_may_attack_as_well(bench: Bench) -> None:
    """A model's container is no more trusted than somebody's URL."""
    bench.write_samples([sample("bad"), sample("good")])
    speak, kinds = SERVERS["chunks without end"]
    with RawServer(speak, path=bench.socket):
        bench.run(bench.own(retry=ONCE))
    found = bench.by_id
    assert found["good"].text == "yes"
    assert found["bad"].error is not None
    assert found["bad"].error.kind in kinds
