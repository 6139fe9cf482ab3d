"""Time and chance as the driver sees them; tests give their own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """`sleep` is what backoff and waiting for a server use; latencies are always measured with `perf`."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic
    perf: Callable[[], float] = time.perf_counter
    wall: Callable[[], float] = time.time
    rng: random.Random = field(default_factory=random.Random)
