"""A vendor's server for tests, in plain asyncio-free Python: healthy after a delay, and wrong in every way asked for.

vendor.py --port N | --socket PATH [--delay S] [--refuse TEXT] [--then-500] [--die-after N] [--chunks N] ...
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import socketserver
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    options: argparse.Namespace
    began: float
    asked = 0

    def do_GET(self) -> None:
        if self.path == self.options.health:
            ready = time.monotonic() - self.began >= self.options.delay
            self.send(200 if ready else 503, {})
        elif self.path == "/v1/models":
            self.send(200, {"object": "list", "data": [{"id": "toy", "max_model_len": 512}]})
        else:
            self.send(200, {"path": self.path})

    def do_POST(self) -> None:
        Handler.asked += 1
        if "Content-Length" not in self.headers:
            self.send(200, {"bytes": self.read_chunks()})
            return
        if self.options.die_after and Handler.asked > self.options.die_after:
            sys.stderr.write("RuntimeError: CUDA error: an illegal memory access was encountered\n")
            sys.stderr.flush()
            os._exit(7)
        digest, size = hashlib.sha256(), int(self.headers["Content-Length"])
        left = size
        while left:
            block = self.rfile.read(min(left, 1 << 16))
            digest.update(block)
            left -= len(block)
            if self.options.read_pause:
                time.sleep(self.options.read_pause)
        if self.options.then_500:
            self.send(
                500, {"error": {"message": "EngineCore encountered an issue", "type": "InternalServerError"}}
            )
        elif self.path == "/stream":
            self.stream()
        else:
            self.send(200, {"bytes": size, "sha256": digest.hexdigest()})

    def read_chunks(self) -> int:
        total = 0
        while size := int(self.rfile.readline(), 16):
            total += len(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return total

    def stream(self) -> None:
        """Each piece says when it was sent, so that a test can tell what the way to it has cost."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(self.options.chunks):
            data = json.dumps({"n": number, "sent": time.monotonic()}).encode() + b"\n"
            data += b"." * self.options.pad
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
            time.sleep(self.options.pause)
        self.wfile.write(b"0\r\n\r\n")

    def send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def address_string(self) -> str:
        return "client"


class Tcp(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True


class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--socket")
    parser.add_argument("--health", default="/health")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--refuse", default="")
    parser.add_argument("--then-500", action="store_true")
    parser.add_argument("--die-after", type=int, default=0)
    parser.add_argument("--chunks", type=int, default=20)
    parser.add_argument("--pad", type=int, default=0)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--read-pause", type=float, default=0.0)
    parser.add_argument("--say", nargs="*", default=[])
    parser.add_argument("--worker-pid")
    parser.add_argument("--deaf", action="store_true")
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.refuse:
        sys.stderr.write(options.refuse + "\n")
        sys.exit(1)
    if options.worker_pid:  # a worker that outlives its parent unless somebody ends the group
        worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(options.worker_pid).write_text(str(worker.pid))
    if options.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Handler.options, Handler.began = options, time.monotonic()
    print(json.dumps({"argv": sys.argv[1:], "say": options.say, "home": os.environ["HOME"]}), flush=True)
    server = Unix(options.socket, Handler) if options.socket else Tcp(("127.0.0.1", options.port), Handler)
    server.serve_forever(poll_interval=0.05)


main()
