"""A vendor's chat server in 60 lines, for end-to-end tests: it starts slowly, refuses, dies or says nothing, as asked.

It is put into the folder of weights, so that it lies in the container without being part of any image.
"""

SERVER = r"""
import argparse, hashlib, base64, json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("--name")
parser.add_argument("--port", type=int)
parser.add_argument("--mode", default="right")
options = parser.parse_args()
began = time.monotonic()

if options.mode == "refuses":
    sys.stderr.write("ValueError: max_model_len (4096) is greater than the derived max_model_len\n")
    sys.exit(1)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        loading = self.path == "/health" and time.monotonic() - began < 0.5
        self.answer(503 if loading else 200, {"data": [{"id": options.name, "engine": "vendor 1.0"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if options.mode == "then-500":
            self.answer(500, {"error": {"message": "EngineCore encountered an issue", "code": 500}})
            sys.stderr.write("RuntimeError: Unsupported CPU attention configuration: head_dim=16\n")
            sys.stderr.flush()
            os._exit(0)
        text = "" if options.mode == "silent" else self.page(body)
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": options.name}
        stop = {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        said = {**chunk, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
        data = "".join("data: " + json.dumps(part) + "\n\n" for part in (said, stop)) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data.encode())

    def page(self, body):
        parts = body["messages"][-1]["content"]
        url = next(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
        return "page " + hashlib.sha256(base64.b64decode(url.partition(",")[2])).hexdigest()[:16]

    def answer(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", options.port), Handler).serve_forever()
"""
