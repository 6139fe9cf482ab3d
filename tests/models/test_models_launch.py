"""A vendor's server behind our socket: its start, its refusals, its death, and the bytes in between."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import USER_CODE, Reply, Served, exchange, start

VENDOR = str(USER_CODE / "vendor.py")
Start = Callable[..., Served]
MIB = 1 << 20


def command(*words: str, listen: tuple[str, ...] = ("--port", "{port}")) -> dict[str, Any]:
    return {"command": ["python3", VENDOR, *listen, *words]}


@pytest.fixture
def launch(start_server: Start) -> Start:
    def starter(*words: str, server: dict[str, Any] | None = None, **config: Any) -> Served:
        block = {**command(*words), "port": free_port(), **(server or {})}
        return start_server(
            **{"interface": "server", "path": None, "grace_s": 5.0, "server": block, **config}
        )

    return starter


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One launched server for the tests that only pass bytes through it."""
    block = {**command("--chunks", "40", "--pause", "0.005"), "port": free_port()}
    served = start(tmp_path_factory.mktemp("vendor"), interface="server", path=None, server=block)
    served.wait_for("model ready")
    yield served
    served.process.kill()
    served.ended()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def post(served: Served, path: str, data: bytes) -> Reply:
    return exchange(served.connection(), method="POST", path=path, body=data)


def pid_is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_health_says_loading_until_the_child_is_healthy(launch: Start) -> None:
    served = launch("--delay", "1.5")
    served.wait_for("started:")
    assert (served.get("/health").status, served.get("/health").body) == (503, {"status": "loading"})
    refused = served.ask("q")
    assert (refused.status, refused.body["error"]["code"], refused.headers["Retry-After"]) == (
        503,
        "loading",
        "1",
    )
    served.wait_for("model ready")
    assert (served.get("/health").status, served.get("/health").body) == (200, {"status": "ok"})


def test_placeholders_are_filled_and_braces_of_json_stay(launch: Start, tmp_path: Path) -> None:
    weights = tmp_path / "w"
    weights.mkdir()
    served = launch(
        *("--say", "{weights}", "{name}", "{max_batch}", "{gpus}", '{"image": 1, "video": {}}'),
        weights=str(weights),
        max_batch=12,
        oom_level=2,
    )
    served.wait_for("model ready")
    told = next(json.loads(line) for line in served.lines if line.startswith("{"))
    assert told["say"] == [str(weights), "toy", "3", "1", '{"image": 1, "video": {}}']


def test_models_are_the_servers_own_with_what_the_launcher_knows(streaming: Served) -> None:
    entry = streaming.get("/v1/models").body["data"][0]
    assert (entry["id"], entry["max_model_len"], entry["vlmhb"]["interface"]) == ("toy", 512, "server")
    assert entry["vlmhb"]["command"][1] == VENDOR


def test_other_paths_go_to_the_server(streaming: Served) -> None:
    assert streaming.get("/metrics").body == {"path": "/metrics"}
    assert streaming.get("/health?deep=1").body == {"path": "/health?deep=1"}


def test_requests_on_one_connection_are_told_apart(streaming: Served) -> None:
    """The driver keeps its connections: what the launcher answers may come after what the server does."""
    connection = streaming.connection()
    for size in (1, 70_000, 3):
        reply = exchange(connection, method="POST", path="/x", body=b"GET /health HTTP/1.1\r\n\r\n" * size)
        assert reply.body["bytes"] == 24 * size
    assert (
        exchange(connection, method="GET", path="/v1/models").body["data"][0]["vlmhb"]["interface"]
        == "server"
    )


def test_body_in_chunks_is_passed_on(streaming: Served) -> None:
    connection = streaming.connection()
    connection.request("POST", "/chunked", body=iter([b"a" * 1000, b"b"]), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})  # fmt: skip
    assert json.loads(connection.getresponse().read())["bytes"] == 1001


def test_health_path_of_the_card_is_asked(launch: Start) -> None:
    served = launch("--health", "/ready", server={"health": "/ready"})
    served.wait_for("model ready")
    assert served.get("/health").body == {"status": "ok"}


@pytest.mark.parametrize(
    ("said", "words", "hint"),
    [
        (
            "(APIServer pid=12) pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
            "(APIServer pid=12)   Value error, User-specified max_model_len (4096) is greater than the derived "
            "max_model_len (max_position_embeddings=512)",
            "max_model_len (4096) is greater than",
            "lower the context length",
        ),
        (
            "(EngineCore pid=9) ERROR 11-21 21:00:01 [core.py:842] torch.OutOfMemoryError: CUDA out of memory.\n"
            "(APIServer pid=8) RuntimeError: Engine core initialization failed. See root cause above.",
            "torch.OutOfMemoryError: CUDA out of memory.",
            "fewer parallel requests",
        ),
        ("vllm: error: unrecognized arguments: --frobnicate", "unrecognized arguments", "other options"),
        ("OSError: /w does not appear to have a file named config.json", "config.json", "weights folder"),
        (
            "error loading model: unknown model architecture: 'zebra'",
            "unknown model architecture",
            "newer server",
        ),
        ("ValueError: loading needs `trust_remote_code=True`", "trust_remote_code", "read the code"),
        ("plain words", "plain words", ""),
    ],
)
def test_refusal_at_start_is_one_line_with_the_cause(launch: Start, said: str, words: str, hint: str) -> None:
    served = launch("--refuse", said, failed_linger_s=0.0)
    assert served.ended() == 3
    last = served.lines[-1]
    assert last.startswith("VHB502: model 'toy': the server ended with exit code 1 before it was ready: ")
    assert words in last and (hint in last.partition("; hint: ")[2] if hint else "hint" not in last)


def test_refusal_at_start_is_told_on_health(launch: Start) -> None:
    served = launch("--refuse", "ValueError: no such layer", failed_linger_s=60.0)
    served.wait_for("no such layer")
    health = served.get("/health")
    while health.status == 503:
        health = served.get("/health")
    assert (health.status, health.body["status"]) == (500, "failed")
    assert "ValueError: no such layer" in health.body["reason"]
    assert served.ended() == 3


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"server": None}, "the `server` block is missing"),
        ({"server": {"command": []}}, "config.server: 'command' is missing"),
        ({"server": {"command": "vllm serve"}}, "server.command is a list of words"),
        ({"server": {"command": ["no-such-program"]}}, "the image has no program no-such-program"),
        ({"server": {"command": ["python3", "{weights}"]}}, "the model has no weights"),
        ({"server": {"command": ["{weights}"]}, "weights": "/no/such"}, "weights: nothing is at /no/such"),
        ({"server": {"command": ["python3", "--trust-remote-code"]}}, "the card does not allow it"),
    ],
)
def test_cards_that_cannot_work_end_before_anything_starts(
    start_server: Start, config: dict[str, Any], said: str
) -> None:
    served = start_server(interface="server", path=None, failed_linger_s=0.0, **config)
    assert served.ended() == 3
    assert served.lines[-1].startswith("VHB502: ") and said in served.lines[-1]


def test_port_in_use_is_told_when_the_command_takes_no_other(start_server: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fixed = {"command": ["python3", VENDOR, "--port", str(port)], "port": port}
        served = start_server(interface="server", path=None, server=fixed)
        assert served.ended() == 3
        assert f"port {port} is in use" in served.lines[-1]


def test_port_in_use_gives_way_to_a_free_one(launch: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        served = launch(server={"port": taken.getsockname()[1]})
        served.wait_for("model ready")
        assert served.get("/x").body == {"path": "/x"}


def test_healthy_then_500_comes_through_as_it_is(launch: Start) -> None:
    served = launch("--then-500")
    served.wait_for("model ready")
    reply = served.ask("q")
    assert (reply.status, reply.body["error"]["message"]) == (500, "EngineCore encountered an issue")


def test_death_after_answers_ends_the_launcher_with_its_words(launch: Start) -> None:
    served = launch("--die-after", "1")
    served.wait_for("model ready")
    assert post(served, "/x", b"1").status == 200
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        post(served, "/x", b"2")
    assert served.ended() == 1
    assert served.lines[-1] == (
        "VHB502: the server of model 'toy' ended with exit code 7: "
        "RuntimeError: CUDA error: an illegal memory access was encountered\n"
    )


def test_large_body_arrives_whole(streaming: Served) -> None:
    import hashlib

    data = os.urandom(MIB) * 100
    reply = post(streaming, "/x", data)
    assert reply.body == {"bytes": 100 * MIB, "sha256": hashlib.sha256(data).hexdigest()}


def test_pieces_of_a_stream_arrive_one_by_one_without_delay(streaming: Served) -> None:
    connection = streaming.connection()
    connection.request("POST", "/stream", body=b"{}")
    response = connection.getresponse()
    late = []
    for number in range(40):
        told = json.loads(response.readline())
        assert told["n"] == number
        late.append(time.monotonic() - told["sent"])
    assert response.read() == b""
    assert sorted(late)[len(late) // 2] < 0.005  # each 5 ms apart: none waited for the next one


def test_slow_reader_holds_the_server_back_and_loses_nothing(launch: Start) -> None:
    served = launch("--chunks", "200", "--pad", str(MIB // 4))
    served.wait_for("model ready")
    connection = served.connection()
    connection.request("POST", "/stream", body=b"{}")
    response = connection.getresponse()
    time.sleep(0.5)  # 50 MiB want to come; what is in between has to stay small
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    peak_kib = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    assert peak_kib < 60 * 1024
    assert len(response.read()) > 200 * MIB // 4


def test_slow_server_holds_the_client_back_and_loses_nothing(launch: Start) -> None:
    served = launch("--read-pause", "0.002")
    served.wait_for("model ready")
    assert post(served, "/x", b"x" * (20 * MIB)).body["bytes"] == 20 * MIB


def test_many_clients_at_once_get_their_own_answers(streaming: Served) -> None:
    replies: dict[int, Any] = {}

    def ask(number: int) -> None:
        replies[number] = post(streaming, "/x", b"x" * (number * 1000)).body["bytes"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 33)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replies == {number: number * 1000 for number in range(1, 33)}


def test_client_that_leaves_frees_both_ends(streaming: Served) -> None:
    def open_sockets() -> int:
        folder = Path(f"/proc/{streaming.process.pid}/fd")
        return sum("socket:" in str(path.readlink()) for path in folder.iterdir())

    before = open_sockets()
    for _ in range(20):
        connection = streaming.connection()
        connection.request("POST", "/stream", body=b"{}")
        connection.getresponse().readline()
        connection.close()
    deadline = time.monotonic() + 10
    while open_sockets() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert open_sockets() <= before


def test_sigterm_ends_the_child_and_its_workers(launch: Start, tmp_path: Path) -> None:
    worker = tmp_path / "worker.pid"
    served = launch("--worker-pid", str(worker))
    served.wait_for("model ready")
    served.process.send_signal(signal.SIGTERM)
    assert served.ended() == 0
    assert pid_is_gone(int(worker.read_text()))
    assert not served.socket.exists()


def test_child_that_ignores_sigterm_is_killed_after_the_grace(launch: Start) -> None:
    served = launch("--deaf", grace_s=0.3)
    served.wait_for("model ready")
    served.process.send_signal(signal.SIGTERM)
    assert served.ended() == 0


def test_child_dies_with_a_launcher_that_is_killed(launch: Start) -> None:
    served = launch()
    served.wait_for("model ready")
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()
    served.process.kill()
    assert [pid_is_gone(int(pid)) for pid in children] == [True]


def test_server_that_listens_on_the_socket_itself_is_only_looked_after(start_server: Start) -> None:
    block = command("--chunks", "3", listen=("--socket", "{socket}"))
    served = start_server(interface="server", path=None, server=block, grace_s=5.0)
    served.wait_for("model ready")
    assert post(served, "/x", b"abc").body["bytes"] == 3
    assert served.socket.stat().st_mode & 0o777 == 0o666
    served.process.send_signal(signal.SIGTERM)
    assert served.ended() == 0


def test_home_that_cannot_be_written_is_replaced(launch: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    served = launch()
    served.wait_for("model ready")
    told = next(json.loads(line) for line in served.lines if line.startswith("{"))
    assert Path(told["home"]).is_dir()


def test_launcher_runs_from_the_kit_archive(tmp_path: Path) -> None:
    """As in a container: the zip file is all that is there of our code."""
    import subprocess

    from vlmhb.kit import Kit

    kit = Kit.collect().write(tmp_path)
    (tmp_path / "sock").mkdir()
    config = {"name": "toy", "interface": "server", "server": {**command(), "port": free_port()}}
    (tmp_path / "model.json").write_text(json.dumps(config))
    process = subprocess.Popen(
        [sys.executable, "-S", str(kit), "serve", "--config", "/vlmhb/model.json"],
        env={**os.environ, "VLMHB_ROOT": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    served = Served(root=tmp_path, process=process)
    served.wait_for("model ready")
    process.send_signal(signal.SIGTERM)
    assert served.ended() == 0
