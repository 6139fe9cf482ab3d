"""Ends the driver when the host is gone: nobody would follow what it asks and pays for."""

from __future__ import annotations

import asyncio
from pathlib import Path

from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.runtime import Runtime

ALIVE = "alive"
_LOOKS = 12  # in the time after which a silent host counts as gone


async def watch_host(folder: Path, *, silent_s: float, grace_s: float, halt: Halt, runtime: Runtime) -> None:
    """Drains after `silent_s` in which the host has not changed its file.

    Only what changes counts, so no two clocks are compared; and a driver that was stopped itself, as a machine that
    sleeps does to everybody, waits for as many looks as ever."""
    last, silent = await asyncio.to_thread(_read, folder / ALIVE), 0
    while silent < _LOOKS:
        await runtime.sleep(silent_s / _LOOKS)
        now = await asyncio.to_thread(_read, folder / ALIVE)
        silent = silent + 1 if now == last else 0
        last = now
    halt.drain("host", grace_s=grace_s)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
