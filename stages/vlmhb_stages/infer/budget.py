"""Money for requests: reserved before one is sent, settled when it has ended, never more than the host grants.

`out/spending.json` is rewritten in place around every request, so that after `kill -9` money that may have been
spent is never forgotten: what was reserved then counts in full.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol

from pydantic import ValidationError

from vlmhb_stages.contracts import Record
from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer.halt import Halt

SPENDING = "spending.json"
GRANT = "budget.json"
_WIDTH = 120  # bytes of the file, always: one short write in place is never seen half done
_POLL_S = 0.05
_ASK_EVERY_S = 0.2
_GONE_AFTER_S = 30.0  # of waiting for money without a grant that can be read
_DUST = 1e-9  # what sums of floats may be off by


class BudgetEnded(Exception):
    """The request, which can cost `amount`, cannot be paid for, and no more money will come."""

    def __init__(self, amount: float) -> None:
        self.amount = amount
        super().__init__(f"up to {amount:.6g} cannot be paid")


class GrantGone(Exception):
    """The file with the grants cannot be read any more, so nobody can say whether there is money."""


class BadSpending(Exception):
    """`spending.json` is not what the driver writes."""


class Spending(Record):
    """`spending.json`: money of every start of this artifact."""

    spent: float = 0.0
    reserved: float = 0.0


class Grant(Record):
    """`budget.json` of the host."""

    granted: float = 0.0
    final: bool = False


class Reservation:
    """Money put aside for one request. As a context it is settled in full where nothing else was said."""

    def __init__(self, amount: float, *, on_settle: Callable[[float, float], None]) -> None:
        self.amount = amount
        self._on_settle: Callable[[float, float], None] | None = on_settle

    def settle(self, cost: float | None) -> None:
        """What the request has cost: 0 where it was never sent or is not charged, None where nobody knows
        (counted in full). Only the first call counts."""
        told, self._on_settle = self._on_settle, None
        if told is not None:
            told(self.amount, self.amount if cost is None else cost)

    def __enter__(self) -> Reservation:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.settle(None)


class Purse(Protocol):
    """Where money for requests comes from."""

    @property
    def spent(self) -> float:
        """For every attempt of this artifact, its earlier starts included."""

    async def reserve(self, amount: float) -> Reservation:
        """Waits until there is as much. Raises `BudgetEnded`, `GrantGone`, and `Halted` when a stop is asked for
        first."""

    def tell(self) -> None:
        """To be called about once a second: the host follows what was spent."""


class Ledger:
    """What was spent and is reserved, on disk before anything is sent; in memory only without a path."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises `BadSpending`."""
        before = _read(path) if path is not None else Spending()
        self.lost = before.reserved  # by a start that was killed: it may have been charged
        self.spent = before.spent + before.reserved
        self.reserved = 0.0
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644) if path is not None else None
        self._write()

    def reserve(self, amount: float) -> None:
        self.reserved += amount
        self._write()

    def settle(self, amount: float, cost: float) -> None:
        self.reserved = max(0.0, self.reserved - amount)
        self.spent += cost
        self._write()

    def sync(self) -> None:
        if self._fd is not None:
            os.fsync(self._fd)

    def close(self) -> None:
        if self._fd is not None:
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = None

    def _write(self) -> None:
        if self._fd is not None:
            line = f'{{"spent": {self.spent:.12f}, "reserved": {self.reserved:.12f}}}'
            os.pwrite(self._fd, line.ljust(_WIDTH - 1).encode() + b"\n", 0)


class FreePurse:
    """No limit; what is spent is counted all the same."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self._ledger = ledger or Ledger()

    @property
    def spent(self) -> float:
        return self._ledger.spent

    async def reserve(self, amount: float) -> Reservation:
        self._ledger.reserve(amount)
        return Reservation(amount, on_settle=self._ledger.settle)

    def tell(self) -> None:
        """Nobody asks."""


class GrantedPurse:
    """As much as `<control>/budget.json` says, which the host raises when it is asked to by `budget` events.

    `ahead`: for how many requests money is asked before they need it, so that none waits for the host."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        control: Path,
        events: EventWriter,
        halt: Halt,
        clock: Callable[[], float],
        ahead: int = 1,
    ) -> None:
        self._ledger = ledger
        self._path = control / GRANT
        self._events = events
        self._halt = halt
        self._clock = clock
        self._ahead = ahead
        self._grant = Grant()
        self._unread_since: float | None = None
        self._asked = self._asked_at = self._read_at = float("-inf")
        self._told: float | None = None
        self._waiting = 0.0
        self._changed = asyncio.Event()
        self._emit(need=ledger.spent)  # the host learns what earlier starts have spent

    @property
    def spent(self) -> float:
        return self._ledger.spent

    async def reserve(self, amount: float) -> Reservation:
        if not self._has(amount):
            await self._wait_for(amount)
        self._ledger.reserve(amount)
        if not self._has(amount * self._ahead / 2):
            self._look(amount)
        return Reservation(amount, on_settle=self._settle)

    def tell(self) -> None:
        if self._told != self._ledger.spent:
            self._emit(need=max(self._asked, self._ledger.spent))

    async def _wait_for(self, amount: float) -> None:
        self._waiting += amount
        try:
            while not self._has(amount):
                self._look(amount)
                if self._has(amount):
                    return
                if self._grant.final and not self._can_come(amount):
                    raise BudgetEnded(amount)
                self._check_readable()
                await self._halt.race(self._change())
        finally:
            self._waiting -= amount

    async def _change(self) -> None:
        """Until something is settled, or it is time to read the grant again."""
        waiting = asyncio.ensure_future(self._changed.wait())
        await asyncio.wait({waiting}, timeout=_POLL_S)
        waiting.cancel()

    def _has(self, amount: float) -> bool:
        ledger = self._ledger
        return ledger.spent + ledger.reserved + amount <= self._grant.granted + _DUST

    def _can_come(self, amount: float) -> bool:
        """Whether requests in flight can still leave enough."""
        ledger = self._ledger
        return ledger.reserved > _DUST and ledger.spent + amount <= self._grant.granted + _DUST

    def _look(self, amount: float) -> None:
        """Reads the grant, and asks for more where that is not enough."""
        now = self._clock()
        if now - self._read_at >= _POLL_S / 2:
            self._read_at = now
            self._read(now)
        ledger = self._ledger
        self._ask(need=ledger.spent + ledger.reserved + max(self._waiting, amount) + amount * self._ahead)

    def _read(self, now: float) -> None:
        """While the host has written nothing, or is just doing so, what is known so far holds."""
        found = _granted(self._path)
        if found is None:
            self._unread_since = now if self._unread_since is None else self._unread_since
            return
        self._unread_since = None
        if found.granted >= self._grant.granted:
            self._grant = found

    def _check_readable(self) -> None:
        since = self._unread_since
        if since is not None and self._clock() - since >= _GONE_AFTER_S:
            raise GrantGone(f"{GRANT} of the host could not be read for {_GONE_AFTER_S:g} s")

    def _ask(self, *, need: float) -> None:
        now = self._clock()
        if need > self._asked and now - self._asked_at >= _ASK_EVERY_S and not self._grant.final:
            self._asked, self._asked_at = need, now
            self._emit(need=need)

    def _emit(self, *, need: float) -> None:
        self._told = self._ledger.spent
        self._events.emit(
            "budget",
            spent=round(self._ledger.spent, 9),
            reserved=round(self._ledger.reserved, 9),
            need=round(need, 9),
        )

    def _settle(self, amount: float, cost: float) -> None:
        self._ledger.settle(amount, cost)
        self._changed.set()
        self._changed = asyncio.Event()


def _granted(path: Path) -> Grant | None:
    try:
        return Grant.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _read(path: Path) -> Spending:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return Spending()
    try:
        return Spending.model_validate(json.loads(text)) if text.strip() else Spending()
    except (ValueError, ValidationError) as error:
        raise BadSpending(f"{path.name} is not what the driver writes") from error
