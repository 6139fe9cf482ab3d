"""The life of a server process: health while loading, failed loads, SIGTERM, its socket."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from serving import Reply, Served, exchange
from vlmhb_models.serve import main

Start = Callable[..., Served]


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A named pipe: its reader waits until a writer comes, and the writer until a reader is there."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


def test_loading_is_told_until_the_model_is_ready(start_server: Start, gate: Path) -> None:
    served = start_server(class_path="zoo:Gate", params={"load_gate": str(gate)})
    served.wait_for("listening")
    loading = served.get("/health")
    assert (loading.status, loading.body) == (503, {"status": "loading"})
    refused = served.ask("q")
    assert (refused.status, refused.body["error"]["code"]) == (503, "loading")
    assert refused.headers["Retry-After"] == "1"
    gate.write_text("go")
    served.wait_for("model ready")
    assert (served.get("/health").status, served.get("/health").body) == (200, {"status": "ok"})


def test_failed_load_is_told_on_health_and_ends_with_one_line(start_server: Start) -> None:
    served = start_server(class_path="zoo:FailsToLoad", failed_linger_s=60.0)
    served.wait_for("the model did not load")
    health = served.get("/health")
    while health.status == 503:  # the traceback is written a moment before the state changes
        health = served.get("/health")
    assert health.status == 500
    assert health.body == {"status": "failed", "reason": "KeyError: 'layer.7'"}
    assert served.ended() == 3
    assert served.lines[-1] == "VHB502: model 'toy': KeyError: 'layer.7'\n"
    assert any("Traceback" in line for line in served.lines)


def test_load_error_has_a_hint_and_no_traceback(start_server: Start) -> None:
    served = start_server(class_path="zoo:FailsToLoad", params={"politely": True}, failed_linger_s=0.0)
    assert served.ended() == 3
    assert served.lines[-1] == "VHB502: model 'toy': the file is missing; hint: fetch it\n"
    assert not any("Traceback" in line for line in served.lines)


def test_model_that_calls_exit_while_loading_is_a_failed_load(start_server: Start) -> None:
    served = start_server(class_path="zoo:FailsToLoad", params={"exits": True}, failed_linger_s=0.0)
    assert served.ended() == 3
    assert served.lines[-1] == "VHB502: model 'toy': SystemExit: told to go\n"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"class_path": "zoo:Nothing"}, "zoo has no 'Nothing'; hint: its classes: "),
        ({"class_path": "zoo:NotAModel"}, "zoo:NotAModel is not a ModelInterface class"),
        ({"class_path": "no_such:Thing"}, "the module 'no_such' is not installed here"),
        ({"class_path": "zoo"}, "class path 'zoo' is not module:Class"),
        ({}, "class_path is missing"),
        ({"interface": "magic"}, "interface 'magic' is not served"),
        ({"interface": "upstream"}, "the `upstream` block is missing"),
        ({"class_path": "zoo:Echo", "colour": 1}, "unknown key 'colour'"),
        ({"class_path": "zoo:Echo", "socket": None}, "one of `socket` and `port` is needed"),
        ({"class_path": "zoo:Echo", "concurrency": 0}, "concurrency is 0"),
    ],
)
def test_wrong_configs_end_with_one_line(start_server: Start, config: dict[str, object], said: str) -> None:
    served = start_server(**config, failed_linger_s=0.0)
    assert served.ended() == 3
    assert served.lines[-1].startswith("VHB502: ")
    assert said in served.lines[-1]


@pytest.mark.parametrize(
    ("text", "said"), [("{", "is not JSON"), ("[]", "an object is needed"), (None, "No such file")]
)
def test_unreadable_config_ends_with_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str | None,
    said: str,
) -> None:
    monkeypatch.setenv("VLMHB_ROOT", str(tmp_path))
    if text is not None:
        (tmp_path / "model.json").write_text(text)
    assert main(["--config", "/vlmhb/model.json"]) == 3
    line = capsys.readouterr().err
    assert line.startswith("VHB502: config ") and said in line and line.count("\n") == 1


def test_libraries_are_told_to_stay_offline_unless_the_card_says_otherwise(
    ready_server: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    told = ready_server("Environment").get("/v1/models").body["data"][0]["vlmhb"]
    assert (told["ORT_DISABLE_TELEMETRY"], told["HF_HUB_OFFLINE"]) == ("1", "0")


def test_sigterm_on_an_idle_server_ends_it_and_removes_the_socket(ready_server: Start) -> None:
    served = ready_server()
    served.process.send_signal(signal.SIGTERM)
    assert served.ended() == 0
    assert not served.socket.exists()


def test_sigterm_lets_the_request_in_flight_finish(ready_server: Start, gate: Path) -> None:
    served = ready_server("Gate", params={"gate": str(gate)})
    replies: list[Reply] = []
    asking = threading.Thread(target=lambda: replies.append(served.ask("wait")))
    asking.start()
    with gate.open("w"):  # opens only when the model waits inside generate()
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("stopping")
    asking.join()
    assert replies[0].status == 200
    assert served.ended() == 0


def test_sigterm_does_not_wait_for_ever(ready_server: Start, gate: Path) -> None:
    served = ready_server("Gate", params={"gate": str(gate)}, grace_s=0.0)
    threading.Thread(target=_ask_ignoring_the_end, args=(served,), daemon=True).start()
    with gate.open("w"):
        served.process.send_signal(signal.SIGTERM)
        assert served.ended() == 0
    assert any("requests unanswered" in line for line in served.lines)


def test_requests_after_sigterm_are_refused_on_open_connections(ready_server: Start, gate: Path) -> None:
    served = ready_server("Gate", params={"gate": str(gate)})
    idle = served.connection()
    assert exchange(idle, method="GET", path="/health").status == 200
    threading.Thread(target=_ask_ignoring_the_end, args=(served,), daemon=True).start()
    with gate.open("w"):
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("stopping")
        assert exchange(idle, method="GET", path="/health").body == {"status": "stopping"}
    assert served.ended() == 0


def test_sigterm_while_loading_ends_at_once(start_server: Start, gate: Path) -> None:
    served = start_server(class_path="zoo:Gate", params={"load_gate": str(gate)})
    with gate.open("w"):
        served.process.send_signal(signal.SIGTERM)
        assert served.ended() == 0


def test_stale_socket_is_replaced_and_open_to_other_users(start_server: Start, tmp_path: Path) -> None:
    path = tmp_path / "stale" / "sock" / "model.sock"
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    served = start_server(class_path="zoo:Echo", root=tmp_path / "stale")
    served.wait_for("model ready")
    assert served.answer("q").startswith("-|q")
    assert stat.S_IMODE(path.stat().st_mode) == 0o666


def test_socket_of_a_live_server_is_not_taken_over(ready_server: Start, start_server: Start) -> None:
    first = ready_server()
    second = start_server(class_path="zoo:Echo", root=first.root)
    assert second.ended() == 3
    assert "another server answers" in second.lines[-1]
    assert first.answer("q").startswith("-|q")


def test_other_files_in_the_sockets_place_are_left_alone(start_server: Start, tmp_path: Path) -> None:
    path = tmp_path / "file" / "sock" / "model.sock"
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    served = start_server(class_path="zoo:Echo", root=tmp_path / "file")
    assert served.ended() == 3
    assert "is no socket" in served.lines[-1]
    assert path.read_text() == "precious"


def test_socket_path_may_be_longer_than_the_system_takes(start_server: Start, tmp_path: Path) -> None:
    root = tmp_path / ("long" * 40)
    served = start_server(class_path="zoo:Echo", root=root)
    served.wait_for("model ready")
    short = tmp_path / "s"
    short.symlink_to(root / "sock")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(short / "model.sock"))
        client.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    served.process.send_signal(signal.SIGTERM)
    assert served.ended() == 0
    assert not (root / "sock" / "model.sock").exists()


def test_tcp_port_serves_on_loopback_only(start_server: Start) -> None:
    served = start_server(class_path="zoo:Echo", socket=None, port=0)
    served.wait_for("model ready")
    found = re.search(r"http://127\.0\.0\.1:(\d+)", "".join(served.lines))
    assert found is not None
    connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
    reply = exchange(connection, method="GET", path="/v1/models")
    assert reply.body["data"][0]["id"] == "toy"


def test_killed_client_does_not_disturb_the_next_one(ready_server: Start, gate: Path) -> None:
    served = ready_server("Gate", params={"gate": str(gate)})
    connection = served.connection()
    body = {"model": "toy", "messages": [{"role": "user", "content": "wait"}]}
    connection.request("POST", "/v1/chat/completions", body=json.dumps(body).encode())
    with gate.open("w"):
        connection.close()
    assert served.answer("next").startswith("-|next")


def _ask_ignoring_the_end(served: Served) -> None:
    try:
        served.ask("wait")
    except (OSError, http.client.HTTPException):
        return
