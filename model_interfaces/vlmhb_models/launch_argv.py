"""The command and environment of a vendor's server, from the card's placeholders."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vlmhb_stages.paths import resolve

from vlmhb_models.base import LoadError
from vlmhb_models.launch_loopback import ensure_loopback
from vlmhb_models.placeholders import DEFAULT_BATCH, filled
from vlmhb_models.server.config import ServeConfig, VendorSpec

TRUST_FLAG = "--trust-remote-code"
LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class Start:
    """What to start. `port` is None when the server listens on the Unix socket itself."""

    argv: tuple[str, ...]
    env: dict[str, str]
    port: int | None
    socket: Path


def plan_start(config: ServeConfig, *, environ: Mapping[str, str] = os.environ) -> Start:
    """Raises `LoadError` for what cannot work, before anything is started."""
    spec = config.server
    if spec is None:
        raise LoadError(
            "interface server: the `server` block is missing", hint="give server.command in the card"
        )
    _check_trust(config, spec)
    path = resolve(str(config.socket))
    uses_socket = any("{socket}" in word for word in spec.command)
    if not uses_socket:
        ensure_loopback()
    port = None if uses_socket else _port(spec)
    values = _values(config, port=port, path=path)
    argv = tuple(_filled(word, values) for word in spec.command)
    env = _environment(environ, own=spec.env, values=values)
    return Start(argv=(_program(argv[0], env=env), *argv[1:]), env=env, port=port, socket=path)


def _check_trust(config: ServeConfig, spec: VendorSpec) -> None:
    if TRUST_FLAG in spec.command and not config.trust_remote_code:
        raise LoadError(
            f"the command says {TRUST_FLAG}, and the card does not allow it",
            hint="read the code that comes with the weights, then set trust_remote_code: true",
        )


def _values(config: ServeConfig, *, port: int | None, path: Path) -> dict[str, str]:
    values = {
        "name": config.name,
        "socket": str(path),
        "port": str(port),
        "max_batch": str(config.lowered(config.max_batch or DEFAULT_BATCH)),
        "gpus": str(max(1, config.gpus)),
    }
    if config.weights:
        weights = resolve(config.weights)
        if not weights.exists():  # a server would take the path for a name on a hub
            raise LoadError(f"weights: nothing is at {weights}", hint="check weights in the row or the card")
        values["weights"] = str(weights)
    return values


def _filled(word: str, values: Mapping[str, str]) -> str:
    if "{weights}" in word and "weights" not in values:
        raise LoadError("the model has no weights", hint="put their folder into the workspace's models/")
    return filled(word, values)


def _port(spec: VendorSpec) -> int:
    """The card's port; where the command takes any and that one is in use, a free one.

    Without a container, servers of several models share the machine's ports."""
    if _is_free(spec.port):
        return spec.port
    if not any("{port}" in word for word in spec.command):
        raise LoadError(f"port {spec.port} is in use", hint="write {port} in server.command, or another port")
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as the server will: TIME_WAIT is no user
        try:
            probe.bind((LOCAL, port))
        except OSError:
            return False
    return True


def _environment(
    environ: Mapping[str, str], *, own: Mapping[str, str], values: Mapping[str, str]
) -> dict[str, str]:
    """The launcher's own environment, a home that can be written, a user name, and the card's variables.

    Our kit's place in `sys.path` is not passed on. The container's user often has no entry in the image's
    passwd file, and PyTorch asks for its name."""
    env = {key: value for key, value in environ.items() if key != "PYTHONPATH"}
    if not os.access(env.get("HOME", "/nowhere"), os.W_OK):
        env["HOME"] = tempfile.gettempdir()
    env.setdefault("USER", "vlmhb")
    env.setdefault("LOGNAME", env["USER"])
    return {**env, **{key: _filled(value, values) for key, value in own.items()}}


def _program(word: str, *, env: Mapping[str, str]) -> str:
    """`python` and `python3` mean the Python that runs us: in a virtual environment no other has the packages."""
    if word in ("python", "python3"):
        return sys.executable
    beside = Path(sys.executable).parent / word
    if "/" not in word and shutil.which(word, path=env.get("PATH")) is None and beside.exists():
        return str(beside)
    if shutil.which(word, path=env.get("PATH")) is None:
        raise LoadError(f"the image has no program {word}", hint="check server.command and image in the card")
    return word
