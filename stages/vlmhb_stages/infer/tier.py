"""Places that are interchangeable, and who of them is asked next: the replicas of one model, or one URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.outcomes import Outcome
from vlmhb_stages.infer.place import Place, Seat
from vlmhb_stages.infer.prices import Load
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.infer.server import ServerGone
from vlmhb_stages.infer.throttle import Throttle
from vlmhb_stages.infer.toll import Toll
from vlmhb_stages.specs import Manner

_SHORTEST_NAP_S = 0.001


class OutOfOrder(Exception):
    """Nobody here can be asked now; the message says why."""


class Tier:
    """Requests come in one line. `fallback`: its name in the records, None for the primary. `manner`: how it is asked,
    which is told to its clients, windows and breakers as well."""

    def __init__(
        self,
        *,
        fallback: str | None,
        places: Sequence[Place],
        manner: Manner,
        throttle: Throttle,
        toll: Toll,
        halt: Halt,
        runtime: Runtime,
    ) -> None:
        self.fallback = fallback
        self.places = tuple(places)
        self.manner = manner
        self.toll = toll
        self._throttle = throttle
        self._halt = halt
        self._runtime = runtime
        self._line = asyncio.Lock()
        self._changed = asyncio.Event()
        self._watching: dict[Place, asyncio.Task[None]] = {}

    @property
    def requests(self) -> int:
        return sum(place.client.sent for place in self.places)

    @asynccontextmanager
    async def seat(self, *, alone: bool, patient: bool, load: Load) -> AsyncIterator[Seat]:
        """Inside, one request may be sent. `patient`: there is nobody else to ask, so what is out of order is waited
        for.

        Raises `OutOfOrder`; `ServerGone` when nobody is left at all; `BudgetEnded`; `Halted` when the driver is to
        stop."""
        while True:
            seat = await self._find(patient=patient)
            try:
                async with seat.place.turn(seat, alone=alone) as works:
                    if works:
                        async with self._paid(seat, load) as is_ready:
                            if is_ready:
                                yield seat
                                return
            finally:
                seat.place.quit(seat)
                self._tell()

    @asynccontextmanager
    async def _paid(self, seat: Seat, load: Load) -> AsyncIterator[bool]:
        """Money first, the rate limit last: who waits for money keeps nobody else's minute. False: the place broke
        down meanwhile."""
        async with AsyncExitStack() as stack:
            async with self._throttle.turn(self.toll.tokens(load)) as take:
                seat.payment = await stack.enter_async_context(self.toll.paid(load))
                if not seat.is_stale:
                    seat.entry = await take()
            yield not seat.is_stale

    def report(self, seat: Seat, outcome: Outcome, *, tokens: int | None) -> None:
        """What became of the request; `tokens`: what it took in truth, if the server told."""
        if seat.entry is not None and tokens is not None:
            self._throttle.correct(seat.entry, tokens=tokens)
        seat.place.report(seat, outcome)
        self._watch()

    async def close(self) -> None:
        """Stops waiting for servers."""
        watching = list(self._watching.values())
        for task in watching:
            task.cancel()
        if watching:
            await asyncio.wait(watching)

    async def _find(self, *, patient: bool) -> Seat:
        seat = None if self._line.locked() else self._free_seat(patient=patient)
        if seat is not None:
            return seat
        await self._halt.race(self._line.acquire())
        try:
            while (seat := self._free_seat(patient=patient)) is None:
                await self._wait(patient=patient)
            return seat
        finally:
            self._line.release()

    def _free_seat(self, *, patient: bool) -> Seat | None:
        """At the place with the least to do, of those that work."""
        up = [place for place in self.places if place.is_up]
        if patient and up and all(place.breaker.state == "open" for place in up):
            self._hasten(up)
        ready = [place for place in up if place.is_free and place.breaker.admits]
        return min(ready, key=lambda place: place.load).enter() if ready else None

    def _hasten(self, places: Sequence[Place]) -> None:
        """A server of ours that answers, if only with errors, costs nothing to ask: one request at a time."""
        idle = [place for place in places if place.own is not None and place.in_flight == 0]
        for place in idle[:1]:
            place.breaker.hasten()

    async def _wait(self, *, patient: bool) -> None:
        """Until something may have changed."""
        changed = self._changed
        self._watch()
        coming = [place for place in self.places if place.gone is None]
        if not coming:
            raise self._nobody_left(patient=patient)
        works = [place for place in coming if place.breaker.state == "closed" or not place.is_up]
        if not works and not patient:
            raise OutOfOrder(self._troubles(coming))
        await self._sleep(changed, seconds=self._until_ready(coming) if not works else _held(works))

    def _until_ready(self, places: Sequence[Place]) -> float | None:
        """None: a probe is on its way, or a server of ours is asked again as soon as it is idle."""
        if any(place.own is not None and place.in_flight for place in places):
            return None
        waits = [wait for place in places if (wait := place.breaker.ready_in_s) is not None]
        if len(waits) < len(places):
            return _held(places)
        since = max(place.breaker.down_since or 0.0 for place in places)
        left = since + self.manner.retry.server_wait_s - self._runtime.monotonic()
        if left <= 0:
            raise OutOfOrder(self._troubles(places))
        return min([*waits, left])

    async def _sleep(self, changed: asyncio.Event, *, seconds: float | None) -> None:
        """Until a place has changed, or for so long."""
        if seconds is None:
            await self._halt.race(changed.wait())
            return
        nap = asyncio.ensure_future(self._runtime.sleep(max(seconds, _SHORTEST_NAP_S)))
        try:
            await self._halt.race(_any(changed, nap))
        finally:
            nap.cancel()

    def _watch(self) -> None:
        """Waits, beside everything else, for each server of ours that is down."""
        for place in self.places:
            if not place.is_up and place.gone is None and place not in self._watching:
                task = asyncio.create_task(self._come_up(place))
                self._watching[place] = task
                task.add_done_callback(self._watched(place))

    async def _come_up(self, place: Place) -> None:
        if place.own is None:
            raise RuntimeError("only a server of our own is waited for")
        try:
            await place.own.come_up()
        except ServerGone as error:
            place.lose(str(error))

    def _watched(self, place: Place) -> Callable[[asyncio.Task[None]], None]:
        def ended(task: asyncio.Task[None]) -> None:
            del self._watching[place]
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self._halt.fail(error)
            self._tell()

        return ended

    def _nobody_left(self, *, patient: bool) -> Exception:
        told = self._troubles(self.places)
        return ServerGone(told) if patient else OutOfOrder(told)

    def _troubles(self, places: Sequence[Place]) -> str:
        told = [(place.shown, place.gone or place.trouble or "does not answer") for place in places]
        return told[0][1] if len(told) == 1 else "; ".join(f"{name}: {trouble}" for name, trouble in told)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _held(places: Sequence[Place]) -> float | None:
    """Seconds until a place that asked for a pause may be asked; None: no pause, only the windows are full."""
    held = [place.held_s for place in places if place.held_s > 0.0]
    if held:
        return min(held)
    return 0.0 if any(place.is_up and place.in_flight == 0 for place in places) else None


async def _any(changed: asyncio.Event, nap: asyncio.Future[None]) -> None:
    waiting: asyncio.Future[Any] = asyncio.ensure_future(changed.wait())
    try:
        await asyncio.wait({waiting, nap}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
