"""Lets many requests in together, or one alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vlmhb_stages.infer.halt import Halt


class Turnstile:
    """While somebody waits to be alone, nobody else enters. Waiting ends with `Halted` when the driver is
    to stop."""

    def __init__(self, halt: Halt) -> None:
        self._halt = halt
        self._inside = 0
        self._one_alone = False
        self._waiting_alone = 0
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def inside(self, *, alone: bool) -> AsyncIterator[None]:
        await self._enter(alone=alone)
        try:
            yield
        finally:
            self._inside -= 1
            self._one_alone = False
            self._tell()

    async def _enter(self, *, alone: bool) -> None:
        self._waiting_alone += alone
        try:
            while not self._is_open(alone=alone):
                await self._halt.race(self._changed.wait())
            self._inside += 1
            self._one_alone = alone
        finally:
            self._waiting_alone -= alone
            self._tell()

    def _is_open(self, *, alone: bool) -> bool:
        if alone:
            return self._inside == 0
        return not self._one_alone and self._waiting_alone == 0

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
