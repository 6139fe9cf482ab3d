"""A chat server in its own process whose delays are known: started by the timing test, asked by the driver.

`python timing_server.py <socket>`; the delays of a request are told in its prompt, as JSON:
`first_s`, then pieces of `tokens` tokens, each `gap_s` after the one before; `tail_s` before the usage chunk.
The standard library only: sleeping threads are not held up by each other.
"""

from __future__ import annotations

import json
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler
from typing import Any


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b'{"data": [{"id": "m"}]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        started = time.perf_counter()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        plan = json.loads(body["messages"][-1]["content"])
        running = bool((body.get("stream_options") or {}).get("continuous_usage_stats")) and plan["running"]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        due, done = started + plan["first_s"], 0
        for number in range(plan["pieces"]):
            _until(due)
            done += plan["tokens"]
            chunk: dict[str, Any] = {"choices": [{"delta": {"content": "слово " * plan["tokens"]}}]}
            if running:
                chunk["usage"] = {"prompt_tokens": 9, "completion_tokens": done}
            if number == plan["pieces"] - 1 and not plan["tail_s"]:
                chunk["choices"][0]["finish_reason"] = "stop"
            self._event(chunk)
            due += plan["gap_s"]
        if plan["tail_s"]:
            _until(due - plan["gap_s"] + plan["tail_s"])
            self._event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        self._event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": done}})
        self._chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, data: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(data).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test looks at what the driver measured."""

    def address_string(self) -> str:
        return "driver"


def _until(due: float) -> None:
    """Delays are from the start of the request, so that what the server itself needs adds nothing to them."""
    time.sleep(max(0.0, due - time.perf_counter()))


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


if __name__ == "__main__":
    Server(sys.argv[1], Handler).serve_forever()
