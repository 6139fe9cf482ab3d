"""Signals reach the loop while inside and mean what they always did afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest
from vlmhb_stages.signals import stop_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_told_and_the_default_comes_back(number: int) -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def main() -> int:
        told = asyncio.Event()
        with stop_signals(told.set):
            os.kill(os.getpid(), number)
            await asyncio.wait_for(told.wait(), 10)
        return 1

    assert asyncio.run(main()) == 1
    assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_outside_the_main_thread_it_does_nothing() -> None:
    done: list[bool] = []

    async def main() -> None:
        with stop_signals(lambda: None):
            done.append(True)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join(10)
    assert done == [True]
