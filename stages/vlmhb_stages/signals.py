"""SIGTERM and SIGINT as a wish to stop, told to a running event loop instead of ending the process."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_signals(on_signal: Callable[[], None]) -> Iterator[None]:
    """While inside, each SIGTERM or SIGINT calls `on_signal` in the running loop; afterwards the defaults
    hold again.

    Does nothing outside the main thread, where Python allows no signal handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
