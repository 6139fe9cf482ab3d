"""Switches on the loopback interface: a fresh network namespace has it, but down, and 127.0.0.1 answers nothing."""

from __future__ import annotations

import fcntl
import socket
import struct

from vlmhb_models.base import LoadError

GET_FLAGS, SET_FLAGS = 0x8913, 0x8914  # SIOCGIFFLAGS, SIOCSIFFLAGS
UP = 0x1
REQUEST = "16sh14x"  # struct ifreq: the name, its flags, and room


def ensure_loopback() -> None:
    """Raises `LoadError` where it is down and this user may not change that."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            told = fcntl.ioctl(any_socket, GET_FLAGS, struct.pack(REQUEST, b"lo", 0))
            flags = struct.unpack(REQUEST, told)[1]
            if not flags & UP:
                fcntl.ioctl(any_socket, SET_FLAGS, struct.pack(REQUEST, b"lo", flags | UP))
        except OSError as error:
            raise LoadError(
                f"127.0.0.1 cannot be used here: {error.strerror or error}",
                hint="use an engine with containers, or a server that listens on {socket}",
            ) from error
