"""One server that can be asked: its client, its window of requests in flight, its circuit breaker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from vlmhb_stages.infer.breaker import Breaker, Pass
from vlmhb_stages.infer.client import ChatClient
from vlmhb_stages.infer.outcomes import Answer, Failure, Outcome
from vlmhb_stages.infer.rate import Entry
from vlmhb_stages.infer.server import OwnServer
from vlmhb_stages.infer.toll import Payment
from vlmhb_stages.infer.window import FixedWindow, Window

Tell = Callable[[str], None]


@dataclass(kw_only=True)
class Seat:
    """Leave for one request at one place."""

    place: Place
    leave: Pass
    round: int
    life: int = 0
    entry: Entry | None = None  # in the rate window
    payment: Payment | None = None
    reported: bool = False

    @property
    def is_stale(self) -> bool:
        """The place broke down while the request waited in it."""
        return self.place.breaker.is_stale(self.leave)


class Place:
    """`own`: a model server of ours; None for a URL. `gone`: why it will not come back. `tell` warns the user."""

    def __init__(
        self,
        *,
        name: str,
        client: ChatClient,
        window: Window,
        breaker: Breaker,
        own: OwnServer | None,
        longest_hold_s: float,
        tell: Tell,
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.client = client
        self.window = window
        self.breaker = breaker
        self.own = own
        self.gone: str | None = None
        self.trouble = ""  # what the last failure said that counted against it
        self.in_flight = 0
        self._longest_hold_s = longest_hold_s
        self._tell = tell
        self._clock = clock
        self._held_until = float("-inf")
        self._warned = False

    @property
    def shown(self) -> str:
        """Its name for people: records keep `socket` and `socket 1`, which say nothing to who started no socket."""
        return self.name.replace("socket", "model server", 1) if self.own is not None else self.name

    @property
    def is_up(self) -> bool:
        return self.gone is None and (self.own is None or self.own.up)

    @property
    def is_free(self) -> bool:
        return self.in_flight < self.window.limit and self.held_s == 0.0

    @property
    def held_s(self) -> float:
        """Seconds for which the server itself has asked not to be asked."""
        return max(0.0, self._held_until - self._clock())

    @property
    def load(self) -> float:
        return self.in_flight / max(1, self.window.limit)

    def enter(self) -> Seat:
        self.in_flight += 1
        return Seat(place=self, leave=self.breaker.enter(), round=self.window.round)

    def quit(self, seat: Seat) -> None:
        """Call for every seat, whatever became of it."""
        self.in_flight -= 1
        if not seat.reported:
            self.breaker.abstain(seat.leave)

    @asynccontextmanager
    async def turn(self, seat: Seat, *, alone: bool) -> AsyncIterator[bool]:
        """False: the place broke down while its request waited for its turn."""
        if self.own is None:  # who else asks such a server is not ours to say
            yield not seat.is_stale
            return
        async with self.own.turn(alone=alone) as life:
            seat.life = life if life is not None else seat.life
            yield life is not None and not seat.is_stale

    def report(self, seat: Seat, outcome: Outcome) -> None:
        """What a request tells about the place."""
        seat.reported = True
        if isinstance(outcome, Answer):
            delay = outcome.ttft_s if outcome.ttft_s is not None else outcome.latency_s
            self.window.answered(round=seat.round, in_flight=self.in_flight, delay_s=delay)
            self._works(seat)
            return
        if self.own is not None:
            self.own.report(outcome, life=seat.life)
        if outcome.is_push_back:
            self._hold(seat, outcome)
        if outcome.kind in ("rate_limited", "out_of_memory") or (self.own and outcome.server != "fine"):
            self.breaker.abstain(seat.leave)  # it works; or it has died, which is waited for in another way
        elif outcome.retryable:
            self._fails(seat, outcome)
        else:
            self._works(seat)  # the request itself was at fault, and was answered

    def lose(self, reason: str) -> None:
        """It will not come back."""
        self.gone = reason
        self._tell(f"{self.shown} is given up: {reason}")

    def _hold(self, seat: Seat, failure: Failure) -> None:
        """An adaptive place is left alone as a whole for as long as it asks for; else only this request waits."""
        self.window.refused(round=seat.round)
        if failure.retry_after_s is not None and not isinstance(self.window, FixedWindow):
            hold_s = min(failure.retry_after_s, self._longest_hold_s)
            self._held_until = max(self._held_until, self._clock() + hold_s)

    def _fails(self, seat: Seat, failure: Failure) -> None:
        self.trouble = f"{failure.kind}: {failure.message}"
        if self.breaker.fail(seat.leave) and not self._warned:
            self._warned = True
            self._tell(f"{self.shown} is out of order: {self.trouble}; it is tried again from time to time")

    def _works(self, seat: Seat) -> None:
        if self.breaker.succeed(seat.leave) and self._warned:
            self._warned = False
            self._tell(f"{self.shown} works again")
