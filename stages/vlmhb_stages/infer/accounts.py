"""The money of one artifact while the driver runs: its purse, its ledger on disk, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer.budget import SPENDING, FreePurse, GrantedPurse, Ledger, Purse
from vlmhb_stages.infer.halt import Halt
from vlmhb_stages.infer.runtime import Runtime
from vlmhb_stages.specs import InferSpec


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """`ledger` is None where nothing has a price."""

    purse: Purse
    ledger: Ledger | None = None
    currency: str = ""

    def shown(self) -> float | None:
        """What was spent for this artifact, its earlier starts included; None without prices."""
        return round(self.ledger.spent, 9) if self.ledger is not None else None

    @property
    def in_words(self) -> str:
        return f"{self.purse.spent:.6g} {self.currency}".strip()

    def sync(self) -> None:
        if self.ledger is not None:
            self.ledger.sync()


@contextmanager
def open_accounts(
    spec: InferSpec,
    *,
    out: Path,
    events: EventWriter,
    resolve: Callable[[str], Path],
    halt: Halt,
    runtime: Runtime,
) -> Iterator[Accounts]:
    """Raises `BadSpending`."""
    prices = [price for price in (spec.price, *(target.price for target in spec.fallbacks)) if price]
    if not prices and spec.budget is None:
        yield Accounts(purse=FreePurse())
        return
    currency = prices[0].currency if prices else ""
    ledger = Ledger(out / SPENDING)
    try:
        if ledger.lost:
            lost = f"{ledger.lost:.6g} {currency}".strip()
            events.emit(
                "warning",
                message=f"requests were in flight when an earlier start was killed: up to {lost} count as spent",
            )
        purse: Purse = FreePurse(ledger)
        if spec.budget is not None:
            purse = GrantedPurse(
                ledger,
                control=resolve(spec.budget.control),
                events=events,
                halt=halt,
                clock=runtime.monotonic,
                ahead=max(1, spec.concurrency),
            )
        yield Accounts(purse=purse, ledger=ledger, currency=currency)
    finally:
        ledger.close()
