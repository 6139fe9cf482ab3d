"""What the fault server does to the n-th request of each sample, and what has to come of it. Shared by the server's
process and by the test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

SAMPLES = 1000
ATTEMPTS = 3
ALWAYS = {
    "always 500": "500",
    "always 429": "429",
    "always hang": "hang before",
    "context overflow": "context overflow",
}
# by the last two digits of the sample's number: ten samples each
SCRIPTS: dict[int, tuple[str, ...]] = {
    0: ("429",),
    1: ("429 with Retry-After",),
    2: ("500",),
    3: ("500", "500"),
    4: ("hang before",),
    5: ("hang in the middle",),
    6: ("reset",),
    7: ("truncated JSON",),
    8: ("wrong content type",),
    9: ("slow drip",),
    10: ("context overflow",),
    11: ("always 500",),
    12: ("429", "reset"),
    13: ("always 429",),
    14: ("truncated stream",),
    15: ("always hang",),
}
KINDS = {
    "429": "rate_limited",
    "500": "server_error",
    "hang before": "timeout",
    "context overflow": "context_overflow",
}
GOOD = ("answer", "slow drip")


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Of one sample in a run that nobody disturbs. `text`: without the image's hash, which the server adds."""

    attempts: int
    status: str
    kind: str | None = None
    text: str | None = None


def fault(number: int, request: int) -> str:
    """`answer`, or what goes wrong at the sample's request of that number, from 1."""
    script = SCRIPTS.get(number % 100, ())
    if script and script[0] in ALWAYS:
        return ALWAYS[script[0]]
    if request <= len(script):
        return script[request - 1]
    if hashlib.sha256(f"{number} {request}".encode()).digest()[0] * 100 < 256:  # 1 % at random
        return "500"
    return "answer"


def expected(number: int) -> Expected:
    met = "answer"
    for request in range(1, ATTEMPTS + 1):
        met = fault(number, request)
        if met in GOOD:
            return Expected(attempts=request, status="ok", text=f"answer to {number}")
        if met == "context overflow":
            return Expected(attempts=request, status="context_overflow", kind="context_overflow")
    return Expected(attempts=ATTEMPTS, status="error", kind=KINDS[met])
