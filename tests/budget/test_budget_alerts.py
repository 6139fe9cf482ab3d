"""Alerts: a real program and a real HTTP server get the message; one that cannot be sent costs a line, no more."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from vlmhb.budget.alerts import Alert, Messenger, steps_reached

ALERT = Alert(
    run_id="run-1", scope="run", name="run-1", spent=4.1, limit=5.0, currency="USD", percent=80,
    time="2026-03-01T12:00:00+03:00",
)  # fmt: skip
MESSAGE = {
    "run_id": "run-1", "scope": "run", "name": "run-1", "spent": 4.1, "limit": 5.0, "currency": "USD", "percent": 80,
    "time": "2026-03-01T12:00:00+03:00",
}  # fmt: skip


@contextmanager
def hook(*, status: int = 204) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append({"type": self.headers["Content-Type"], "body": json.loads(body)})
            self.send_response(status)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook?token=s3cret", got
    finally:
        server.shutdown()
        server.server_close()


def sent(**how: Any) -> list[str]:
    """Everything that was said while one alert went out."""
    said: list[str] = []
    with Messenger(tell=said.append, timeout_s=5.0, **how) as messenger:
        messenger.send(ALERT)
    return said


def test_a_program_gets_the_message_on_its_standard_input(tmp_path: Path) -> None:
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    target = tmp_path / "got.json"
    assert sent(command=(sys.executable, "-c", code, str(target))) == [ALERT.line()]
    assert json.loads(target.read_text()) == MESSAGE
    assert ALERT.line() == "the budget of run run-1 has reached 80 %: 4.1 of 5 USD"


def test_a_webhook_gets_it_as_json() -> None:
    with hook() as (url, got):
        assert sent(webhook=url) == [ALERT.line()]
    assert got == [{"type": "application/json", "body": MESSAGE}]


def test_what_cannot_be_sent_is_told_without_the_url() -> None:
    with hook(status=500) as (url, _):
        assert sent(webhook=url)[1:] == ["alert not sent: the webhook answered 500"]
    (line,) = sent(webhook=url)[1:]  # nobody listens there any more
    assert line.startswith("alert not sent: the webhook cannot be reached") and "s3cret" not in line
    assert sent(webhook="http://[::1/")[1:] == ["alert not sent: the webhook cannot be reached (ValueError)"]
    assert "no such program" in " ".join(sent(command=("no such program",)))
    failing = (sys.executable, "-c", "import sys; print('no mail', file=sys.stderr); sys.exit(3)")
    assert sent(command=failing)[1:] == [f"alert not sent: {sys.executable}: no mail"]


def test_the_highest_step_that_is_new_counts() -> None:
    assert steps_reached(spent=2.4, limit=5, told=0) is None
    assert steps_reached(spent=4.2, limit=5, told=0) == 80
    assert steps_reached(spent=4.2, limit=5, told=80) is None
    assert steps_reached(spent=5.0, limit=5, told=80) == 100
    assert steps_reached(spent=0.0, limit=0, told=0) == 100
