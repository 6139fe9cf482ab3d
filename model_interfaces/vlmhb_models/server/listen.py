"""Opens the server's listening socket: a Unix socket that a driver of another uid can use, or local TCP."""

from __future__ import annotations

import logging
import os
import socket
import socketserver
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from vlmhb_models.base import LoadError

log = logging.getLogger(__name__)
MAX_SOCKET_PATH = 100  # sun_path holds 108 bytes on Linux, 104 elsewhere
BACKLOG = 128
Handler = type[BaseHTTPRequestHandler]


class _Threads(socketserver.ThreadingMixIn):
    """One thread per connection; none of them keeps the process alive."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = BACKLOG

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no error of ours; anything else is a defect and goes into the log."""
        del request, client_address
        if not isinstance(sys.exc_info()[1], ConnectionError):
            log.exception("a connection failed")


class TcpServer(_Threads, socketserver.TCPServer):
    allow_reuse_address = True


class UnixServer(_Threads, socketserver.UnixStreamServer):
    pass


def listen_tcp(*, host: str, port: int, handler: Handler) -> TcpServer:
    """Port 0 takes a free one. Raises `LoadError` when the port is taken."""
    try:
        return TcpServer((host, port), handler)
    except OSError as error:
        raise LoadError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def listen_unix(path: Path, *, handler: Handler) -> UnixServer:
    """Replaces a stale socket file; refuses to take over one that somebody still answers on.

    Mode 0666: the driver may run under another uid, and the folder around it is private."""
    try:
        with short_path(path) as address:
            _remove_stale(path, address=address)
            server = UnixServer(address, handler)
        path.chmod(0o666)
    except OSError as error:
        raise LoadError(f"cannot listen on {path}: {error.strerror or error}") from error
    return server


def bind_unix(path: Path) -> socket.socket:
    """A listening socket at `path`, with the same care, for a server that is not of this module."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(path) as address:
            _remove_stale(path, address=address)
            listening.bind(address)
        listening.listen(BACKLOG)
        path.chmod(0o666)
    except OSError as error:
        listening.close()
        raise LoadError(f"cannot listen on {path}: {error.strerror or error}") from error
    return listening


def remove_stale(path: Path) -> None:
    """Makes room at `path` for somebody else's listening socket. Raises `LoadError` when it is in use."""
    with short_path(path) as address:
        _remove_stale(path, address=address)


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name of `path` that fits into a socket address, valid inside the block.

    Linux resolves `/proc/self/fd/N/` to the folder that descriptor N has open."""
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _remove_stale(path: Path, *, address: str) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise LoadError(f"{path} is there and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(address)
        except OSError:
            with suppress(FileNotFoundError):
                path.unlink()
            return
    raise LoadError(f"another server answers on {path}", hint="stop it, or give this one a socket of its own")
