"""A hub on loopback that speaks the endpoints `benchmarks fetch` needs, and misbehaves on demand."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """`files` by path; those in `large` are listed with a sha256, the others with git's blob hash."""

    files: dict[str, bytes]
    large: set[str] = field(default_factory=set)
    repo: str = "owner/docs"
    revision: str = COMMIT
    token: str | None = None  # needed, where one is given
    cuts: list[int] = field(default_factory=list)  # bytes after which the next answers with files end
    busy: list[int] = field(default_factory=list)  # status codes of the next answers with files
    ranges: bool = True
    lies: set[str] = field(default_factory=set)  # files that come with other bytes than listed
    page: int = 1000  # entries of the listing in one answer
    elsewhere: str | None = None  # a server that large files are redirected to
    requests: list[tuple[str, str | None, str | None]] = field(
        default_factory=list
    )  # path, range, authorization
    raw_listing: bytes | None = None
    branches: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})

    def __enter__(self) -> FakeHub:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def entries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": "data"}]
        for path, data in self.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            entry: dict[str, Any] = {"type": "file", "oid": blob, "size": len(data), "path": path}
            if path in self.large:
                sha256 = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"oid": sha256, "size": len(data), "pointerSize": 130}
            found.append(entry)
        return found

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        path, query = unquote(parts.path), parse_qs(parts.query)
        given = handler.headers.get("Authorization")
        self.requests.append((path, handler.headers.get("Range"), given))
        branch = f"/api/datasets/{self.repo}/revision/"
        tree = f"/api/datasets/{self.repo}/tree/{self.revision}"
        resolve = f"/datasets/{self.repo}/resolve/{self.revision}/"
        name = path.removeprefix(resolve).removeprefix("/blobs/")
        if self.token is not None and given != f"Bearer {self.token}" and not path.startswith("/blobs/"):
            self._send(handler, 401, b'{"error": "Invalid username or password."}')
        elif path.startswith(branch) and path.removeprefix(branch) in self.branches:
            sha = self.branches[path.removeprefix(branch)]
            self._send(handler, 200, json.dumps({"id": self.repo, "sha": sha}).encode())
        elif path == tree:
            self._list(handler, start=int(query.get("cursor", ["0"])[0]))
        elif not path.startswith((resolve, "/blobs/")) or name not in self.files:
            self._send(handler, 404, b"Entry not found")
        elif self.busy:
            self._send(handler, self.busy.pop(0), b"later")
        elif self.elsewhere is not None and name in self.large:
            self._send(handler, 302, b"", headers={"Location": f"{self.elsewhere}/blobs/{name}"})
        else:
            self._send_file(handler, name=name)

    def _list(self, handler: BaseHTTPRequestHandler, *, start: int) -> None:
        if self.raw_listing is not None:
            self._send(handler, 200, self.raw_listing)
            return
        entries = self.entries()
        headers = {}
        if start + self.page < len(entries):
            after = f"{self.url}{urlsplit(handler.path).path}?recursive=1&cursor={start + self.page}"
            headers["Link"] = f'<{after}>; rel="next"'
        body = json.dumps(entries[start : start + self.page]).encode()
        self._send(handler, 200, body, headers=headers)

    def _send_file(self, handler: BaseHTTPRequestHandler, *, name: str) -> None:
        data = self.files[name]
        if name in self.lies:
            data = bytes([data[0] ^ 255]) + data[1:]
        wanted = handler.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        body = data[start:]
        cut = self.cuts.pop(0) if self.cuts else len(body)
        self._send(handler, 206 if start else 200, body[:cut], headers=headers, length=len(body))

    @staticmethod
    def _send(
        handler: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        *,
        headers: dict[str, str] | None = None,
        length: int | None = None,
    ) -> None:
        handler.send_response(status)
        for key, value in (headers or {}).items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True
