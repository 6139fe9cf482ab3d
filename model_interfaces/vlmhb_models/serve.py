"""`serve --config FILE`: an OpenAI-compatible server around one `ModelInterface`, from start to SIGTERM.

It listens before it loads, so that `/health` can be polled from the first moment. Exit codes: 0 stopped
on request, 3 the model did not load (one line `VHB502: ...` on stderr tells why).
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any

from vlmhb_stages.paths import resolve

from vlmhb_models.base import LoadError, ModelInterface
from vlmhb_models.server.config import ServeConfig, read_config
from vlmhb_models.server.gpu import prove_gpus
from vlmhb_models.server.handler import handler_for
from vlmhb_models.server.inflight import InFlight
from vlmhb_models.server.listen import TcpServer, UnixServer, listen_tcp, listen_unix
from vlmhb_models.server.loader import build_model
from vlmhb_models.server.worker import Worker

log = logging.getLogger(__name__)
# Set before a model's library is imported, unless the card or the image says otherwise. ONNX Runtime 1.29 and
# later reports to its vendor by default; the others try the network before they look at the weights given.
OFFLINE_ENV = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}
EXIT_OK = 0
EXIT_CANNOT_START = 3


def main(argv: list[str]) -> int:
    """The `serve` command of the kit. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="serve", description="Serve one model over the OpenAI chat protocol."
    )
    parser.add_argument("--config", required=True, help="JSON file, see docs/models.md")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    for name, value in OFFLINE_ENV.items():
        os.environ.setdefault(name, value)
    try:
        return serve(read_config(options.config))
    except LoadError as error:
        return _failed(str(error), hint=error.hint)


def serve(config: ServeConfig) -> int:
    """Serves until SIGTERM or SIGINT. Raises `LoadError` when it cannot even listen."""
    facts = prove_gpus(config.gpus)
    if config.interface == "server":
        from vlmhb_models.launch import launch

        return launch(config, facts=facts)
    worker, in_flight = _worker(config, facts=facts), InFlight()
    wake_up = _WakeUp()
    server = _listen(config, worker=worker, in_flight=in_flight)
    accepting = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    accepting.start()
    worker.start()
    _wake_on_failure(worker, wake_up=wake_up)
    wake_up.wait()
    if worker.state.status == "failed":
        in_flight.failure_told.wait(timeout=config.failed_linger_s)
        return _failed(f"model {config.name!r}: {worker.state.reason}", hint=worker.state.hint)
    in_flight.close()
    log.info("stopping")
    server.shutdown()
    if not in_flight.wait_idle(timeout_s=config.grace_s):
        log.warning("stopped with requests unanswered after %g s", config.grace_s)
    server.server_close()
    if config.port is None:
        with suppress(FileNotFoundError):
            resolve(str(config.socket)).unlink()
    return EXIT_OK


def _worker(config: ServeConfig, *, facts: dict[str, Any]) -> Worker:
    weights = str(resolve(config.weights)) if config.weights else None

    def prepare(model: ModelInterface) -> None:
        model.load(params=dict(config.params), weights=weights)

    return Worker(
        build=lambda: build_model(config),
        prepare=prepare,
        concurrency=config.concurrency,
        max_batch=config.max_batch,
        batch_window_s=config.batch_window_s,
        lower_on_oom="batch" in config.on_oom,
        oom_level=config.oom_level,
        facts=facts,
    )


def _listen(config: ServeConfig, *, worker: Worker, in_flight: InFlight) -> TcpServer | UnixServer:
    handler = handler_for(config, worker=worker, in_flight=in_flight)
    if config.port is not None:
        tcp = listen_tcp(host=config.host, port=config.port, handler=handler)
        log.info("model %s: listening on http://%s:%d", config.name, config.host, tcp.server_address[1])
        return tcp
    path = resolve(str(config.socket))
    unix = listen_unix(path, handler=handler)
    log.info("model %s: listening on %s", config.name, path)
    return unix


class _WakeUp:
    """A pipe that the main thread reads until somebody has a reason to end the server.

    Python writes to it from within the C signal handler. A handler in Python would not do: a signal that
    comes just before a blocking call is only handled after that call."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    def wake(self) -> None:
        os.write(self._write, b"!")

    def wait(self) -> None:
        os.read(self._read, 1)


def _wake_on_failure(worker: Worker, *, wake_up: _WakeUp) -> None:
    def watch() -> None:
        worker.settled.wait()
        if worker.state.status == "failed":
            wake_up.wake()

    threading.Thread(target=watch, daemon=True).start()


def _failed(reason: str, *, hint: str) -> int:
    line = " ".join(f"VHB502: {reason}".split())
    sys.stderr.write(f"{line}; hint: {hint}\n" if hint else f"{line}\n")
    sys.stderr.flush()
    return EXIT_CANNOT_START
