"""What the launcher's relay costs: the same requests straight to a server, and through the socket in front of it.

python benches/relay.py [--requests N] [--mib N]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [str(ROOT / name) for name in ("model_interfaces", "stages")]
BOOT = "import sys; from vlmhb_models.serve import main; sys.exit(main(sys.argv[1:]))"
Connect = Callable[[], http.client.HTTPConnection]


class Sink(BaseHTTPRequestHandler):
    """Reads a body and answers with as many bytes as it is asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send(b"{}")

    def do_POST(self) -> None:
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))
        self._send(b"x" * int(self.headers.get("X-Answer", "2")))

    def _send(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


class SinkServer(ThreadingHTTPServer):
    request_queue_size = 128


def serve_sink(port: int) -> None:
    SinkServer(("127.0.0.1", port), Sink).serve_forever()


def ask(connect: Connect, *, data: bytes, answer: int = 2) -> float:
    """Seconds for one request on a connection of its own, as the driver does it on sockets."""
    begun = time.perf_counter()
    connection = connect()
    connection.request("POST", "/x", body=data, headers={"X-Answer": str(answer)})
    connection.getresponse().read()
    connection.close()
    return time.perf_counter() - begun


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--mib", type=int, default=200)
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        relay = start_relay(Path(folder), port=port)
        try:
            measure(relay, direct=lambda: http.client.HTTPConnection("127.0.0.1", port), options=options,
                    through=lambda: UnixConnection(Path(folder) / "sock" / "model.sock"))  # fmt: skip
        finally:
            relay.terminate()
            relay.wait(timeout=20)


def start_relay(folder: Path, *, port: int) -> subprocess.Popen[bytes]:
    (folder / "sock").mkdir()
    command = ["python3", str(Path(__file__).resolve()), "--sink", "{port}"]
    config = {"name": "sink", "interface": "server", "server": {"command": command, "port": port}}
    (folder / "model.json").write_text(json.dumps(config))
    env = {**os.environ, "VLMHB_ROOT": str(folder), "PYTHONPATH": os.pathsep.join(SOURCES)}
    relay = subprocess.Popen([sys.executable, "-c", BOOT, "--config", "/vlmhb/model.json"], env=env)
    path = folder / "sock" / "model.sock"
    while True:
        time.sleep(0.1)
        if path.exists():
            connection = UnixConnection(path)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return relay


def measure(
    relay: subprocess.Popen[bytes], *, direct: Connect, through: Connect, options: argparse.Namespace
) -> None:
    small, taken = b"x" * 2000, {"direct": [], "through": []}
    for _ in range(options.requests):  # in turn, so that a busy machine slows both alike
        taken["direct"].append(ask(direct, data=small))
        taken["through"].append(ask(through, data=small))
    medians = {name: statistics.median(values) * 1e3 for name, values in taken.items()}
    added = medians["through"] - medians["direct"]
    print(f"latency, median of {options.requests}: direct {medians['direct']:.2f} ms, ", end="")
    print(f"through the relay {medians['through']:.2f} ms, added {added:.2f} ms")
    large = b"x" * (options.mib << 20)
    for name, up, down in (("up", large, 2), ("down", b"x", len(large))):
        before = cpu_s(relay.pid)
        rates = {
            label: options.mib / ask(connect, data=up, answer=down)
            for label, connect in (("direct", direct), ("through", through))
        }
        spent = (cpu_s(relay.pid) - before) * 1e3 / options.mib
        print(
            f"{name}: direct {rates['direct']:.0f} MiB/s, through the relay {rates['through']:.0f} MiB/s, ",
            end="",
        )
        print(f"{spent:.2f} ms of CPU per MiB")
    threads = [
        threading.Thread(target=ask, args=(through,), kwargs={"data": b"x" * 400_000}) for _ in range(64)
    ]
    before, begun = cpu_s(relay.pid), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = cpu_s(relay.pid) - before
    print(
        f"64 at once with 0.4 MB each: {time.perf_counter() - begun:.2f} s, {spent / 64 * 1e3:.2f} ms of CPU each"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sink"]:
        serve_sink(int(sys.argv[2]))
    else:
        main()
