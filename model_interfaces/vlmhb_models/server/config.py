"""What `serve` is told: reads and checks the JSON file that the host writes for a model server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from vlmhb_stages.paths import SOCKET, resolve

from vlmhb_models.base import LoadError

MODEL_PATH = "/vlmhb/in/model"


@dataclass(frozen=True)
class UpstreamSpec:
    """A prototype-style class: `<python_package>.<module>:<class_name>`, importable or found at `path`."""

    module: str
    class_name: str
    python_package: str | None = None
    path: str | None = None


@dataclass(frozen=True)
class VendorSpec:
    """A vendor's server: its command with placeholders, and where it answers. See `launch.py`."""

    command: tuple[str, ...]
    port: int = 8000
    health: str = "/health"
    metrics: str | None = "/metrics"  # read by the driver, through the relay
    python: bool = True
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ServeConfig:
    """One model server. All paths are `/vlmhb/...` paths and are resolved on use. Times in seconds."""

    name: str
    interface: str  # rapidocr | tesseract | transformers | server | command | upstream | python
    class_path: str | None = None
    upstream: UpstreamSpec | None = None
    server: VendorSpec | None = None  # interface `server`
    command: tuple[str, ...] = ()  # interface `command`
    path: str | None = None  # folder or wheel with the user's code, put on sys.path
    params: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None
    socket: str | None = SOCKET
    port: int | None = None  # given: TCP on `host` instead of the socket
    host: str = "127.0.0.1"
    concurrency: int = 1  # threads that call the model at the same time
    max_batch: int | None = None  # upper limit; None = what the interface says
    oom_level: int = 0  # how often memory has run out: each time halves the batch
    on_oom: tuple[str, ...] = ()  # what the card lets be lowered when memory runs out: batch, images
    gpus: int = 0  # how many were promised; proved before anything is loaded
    trust_remote_code: bool = False  # Python code that comes with the weights may run
    batch_window_s: float = 0.01  # how long a first request waits for others to share its batch
    max_body_bytes: int = 256 * 1024 * 1024
    grace_s: float = 5.0  # for requests in flight after SIGTERM
    failed_linger_s: float = 2.0  # how long a failed load is still told on /health before the exit

    def lowered(self, batch: int) -> int:
        """`batch` after what memory has allowed so far, at least 1."""
        return max(1, batch >> self.oom_level)


def parse_config(data: Mapping[str, Any]) -> ServeConfig:
    """Raises `LoadError` naming the key that is missing, unknown or unusable."""
    values = dict(data)
    known = {item.name for item in fields(ServeConfig)}
    _check_keys(values, known=known, required=("name", "interface"), where="config")
    if isinstance(values.get("upstream"), Mapping):
        upstream = _block(
            values["upstream"], of=UpstreamSpec, required=("module", "class_name"), name="upstream"
        )
        values["upstream"] = UpstreamSpec(**upstream)
    if isinstance(values.get("server"), Mapping):
        server = _block(values["server"], of=VendorSpec, required=("command",), name="server")
        values["server"] = VendorSpec(
            **{**server, "command": _words(server["command"], name="server.command")}
        )
    values["command"] = _words(values.get("command") or (), name="command")
    config = ServeConfig(**values)
    if config.socket is None and config.port is None:
        raise LoadError("config: one of `socket` and `port` is needed")
    if config.concurrency < 1:
        raise LoadError(f"config: concurrency is {config.concurrency}, at least 1 is needed")
    return config


def read_config(path: str) -> ServeConfig:
    """The config at `path` (a `/vlmhb/...` or an ordinary path). Raises `LoadError`."""
    file = resolve(path)
    try:
        data = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise LoadError(f"config {file}: {error.strerror or error}") from error
    except ValueError as error:
        raise LoadError(f"config {file} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise LoadError(f"config {file}: an object is needed")
    return parse_config(data)


def _block(value: Mapping[str, Any], *, of: type, required: tuple[str, ...], name: str) -> dict[str, Any]:
    _check_keys(value, known={item.name for item in fields(of)}, required=required, where=f"config.{name}")
    return dict(value)


def _words(value: Any, *, name: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(word, str) for word in value):
        raise LoadError(f"config: {name} is a list of words, not {value!r:.60}")
    return tuple(value)


def _check_keys(values: Mapping[str, Any], *, known: set[str], required: tuple[str, ...], where: str) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise LoadError(f"{where}: unknown key {unknown[0]!r}", hint=f"known: {', '.join(sorted(known))}")
    for key in required:
        if not values.get(key):
            raise LoadError(f"{where}: {key!r} is missing")
