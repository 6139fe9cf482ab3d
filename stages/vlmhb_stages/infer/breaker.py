"""Circuit breaker of one place: closed while it works, open while it does not, half-open while it is tried. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from vlmhb_stages.specs import BreakerPolicy

State = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, kw_only=True)
class Pass:
    """Leave to send one request; what comes of it is told to the breaker, once. Of an earlier state it tells
    nothing."""

    era: int


class Breaker:
    """`clock` in seconds; it may stand still but not run backwards."""

    def __init__(self, policy: BreakerPolicy, *, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._era = 0  # grows with every change of state
        self._failures = 0  # in a row, while closed
        self._state: State = "closed"
        self._cooldown_s = policy.cooldown_s
        self._opened_at = 0.0
        self._probing = 0
        self.down_since: float | None = None  # when it first opened since it was last closed

    @property
    def state(self) -> State:
        if self._state == "open" and self._clock() - self._opened_at >= self._cooldown_s:
            self._change("half-open")
        return self._state

    @property
    def admits(self) -> bool:
        """Whether a request may be sent now."""
        state = self.state
        return state == "closed" or (state == "half-open" and self._probing < self._policy.probes)

    @property
    def ready_in_s(self) -> float | None:
        """Seconds until probes may try; None when it is not open."""
        if self.state != "open":
            return None
        return max(0.0, self._opened_at + self._cooldown_s - self._clock())

    def hasten(self) -> None:
        """Ends the cool-down: somebody cannot or need not wait for it."""
        if self._state == "open":
            self._change("half-open")

    def enter(self) -> Pass:
        """Call only when it `admits`."""
        if self._state == "half-open":
            self._probing += 1
        return Pass(era=self._era)

    def is_stale(self, leave: Pass) -> bool:
        return leave.era != self._era

    def succeed(self, leave: Pass) -> bool:
        """True when this closes it again."""
        if self.is_stale(leave):
            return False
        self._failures = 0
        if self._state == "closed":
            return False
        self._change("closed")
        self._cooldown_s, self.down_since = self._policy.cooldown_s, None
        return True

    def fail(self, leave: Pass) -> bool:
        """True when this opens it."""
        if self.is_stale(leave):
            return False
        self._failures += 1
        if self._state == "closed" and self._failures < self._policy.failures:
            return False
        if self._state == "half-open":
            self._cooldown_s = min(self._cooldown_s * 2, self._policy.max_cooldown_s)
        self._opened_at = self._clock()
        self.down_since = self._opened_at if self.down_since is None else self.down_since
        self._change("open")
        return True

    def abstain(self, leave: Pass) -> None:
        """The request told nothing of the place: it was never sent, or refused for its number only."""
        if not self.is_stale(leave) and self._state == "half-open":
            self._probing -= 1

    def _change(self, state: State) -> None:
        self._state = state
        self._era += 1
        self._failures = self._probing = 0
