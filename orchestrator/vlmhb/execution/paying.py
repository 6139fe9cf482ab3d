"""An inference that costs money: it gets its grants, and what it spends is written down while it runs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmhb.budget.grants import Scope
from vlmhb.budget.keeper import Account, BudgetKeeper
from vlmhb.engines.base import Handle, Mount
from vlmhb.errors import BudgetReached
from vlmhb.execution.session import Session
from vlmhb.execution.stages import Companion
from vlmhb.pricing.machines import HOUR_S, MachinePrices
from vlmhb.resources.pool import Leased
from vlmhb.store.artifacts import own_by
from vlmhb.store.files import write_atomic
from vlmhb.store.private import private_folder

CONTROL = "/vlmhb/control"
GRANT = "budget.json"
FOLDERS = "vlmhb-budget-"
WRITE_EVERY_S = (
    1.0  # how much of the spending a kill of everything can make the ledger forget until it is reconciled
)
ASK_EVERY_S = 0.25  # while it waits for money of others


@dataclass(frozen=True, kw_only=True)
class Payment:
    """Who spends, and what. `machine` None: its own records tell; else its GPUs are paid by the hour."""

    evaluation: str
    artifact: str
    limit: float | None = None
    machine: MachinePrices | None = None


class Paying(Companion):
    """Wraps what lives beside a driver. `folder` is the driver's /vlmhb/control."""

    def __init__(
        self,
        payment: Payment,
        *,
        keeper: BudgetKeeper,
        inner: Companion,
        folder: Path,
        clock: Callable[[], float],
    ) -> None:
        self._payment, self._keeper, self._inner = payment, keeper, inner
        self._folder, self._clock = folder, clock
        self._account: Account | None = None
        self._began = self._written = self._looked = 0.0
        self._told = 0.0  # what the ledger knows to be spent
        self._wanted = 0.0  # the most that the request could cost for which there was no money

    @property
    def limited(self) -> bool:
        """The driver is to ask for its money."""
        by_driver = self._payment.machine is None
        limits = self._keeper.limits
        scopes = (limits.run, limits.day, self._payment.limit)
        return by_driver and any(limit is not None for limit in scopes)

    def begin(self) -> None:
        """Each start of the driver has an account of its own."""
        self.end()
        self._inner.begin()
        self._began = self._written = self._clock()
        self._told = 0.0
        self._account = self._keeper.open(
            evaluation=self._payment.evaluation,
            artifact=self._payment.artifact,
            limit=self._payment.limit,
            metered=self._payment.machine is None,
        )
        self._grant(self._account)

    def end(self) -> None:
        account, self._account = self._account, None
        if account is not None:
            self._meter(account)
            self._keeper.close(account)

    def tick(self) -> None:
        """Raises `BudgetReached` when the machines have cost what they may."""
        self._inner.tick()
        account = self._account
        if account is None:
            return
        self._meter(account)
        since = self._clock() - self._written
        waiting = account.limits and not account.final and account.needed > account.granted
        if (since >= WRITE_EVERY_S and account.spent != self._told) or (waiting and since >= ASK_EVERY_S):
            self._write(account)
        if self._clock() - self._looked >= WRITE_EVERY_S:  # the driver cannot go on without its file
            self._looked = self._clock()
            self._grant(account)
        by_the_hour = self._payment.machine is not None and bool(account.limits)
        if by_the_hour and account.final and account.spent >= account.granted:
            raise self.reached()

    def on_event(self, event: dict[str, Any]) -> None:
        self._inner.on_event(event)
        self._wanted = _number(event, "wanted") or self._wanted
        account = self._account
        if account is None or account.base is None:
            return
        if event.get("type") == "budget":
            account.spent = max(account.spent, _number(event, "spent") - account.base)
            account.needed = max(account.needed, _number(event, "need") - account.base)
            if account.needed > account.granted and not account.final:
                self._write(account)
        elif event.get("type") == "progress" and event.get("cost") is not None and not account.limits:
            account.spent = max(account.spent, _number(event, "cost") - account.base)

    def reached(self) -> BudgetReached:
        """The error that says which limit it was; those who want to know are told."""
        scope = self._keeper.stopped(self._account) if self._account is not None else None
        return budget_error(
            scope,
            evaluation=self._payment.evaluation,
            currency=self._keeper.currency,
            wanted=self._wanted,
        )

    def mounts(self) -> tuple[Mount, ...]:
        own = (Mount(source=self._folder, target=CONTROL),) if self.limited else ()
        return (*self._inner.mounts(), *own)

    def handles(self) -> Mapping[str, Handle]:
        return self._inner.handles()

    def leased(self) -> Leased:
        return self._inner.leased()

    def facts(self) -> dict[str, Any]:
        return self._inner.facts()

    def _write(self, account: Account) -> None:
        self._keeper.update(account)
        self._written, self._told = self._clock(), account.spent
        self._grant(account)

    def _grant(self, account: Account) -> None:
        """The driver counts what its artifact has spent since it was made."""
        if not self.limited or account.base is None:
            return
        value = {"granted": round(account.base + account.granted, 9), "final": account.final}
        path = self._folder / GRANT
        text = json.dumps(value).encode()
        with suppress(FileNotFoundError):  # someone has removed the folder: the driver ends by itself
            if not path.exists() or path.read_bytes() != text:
                write_atomic(path, text)

    def _meter(self, account: Account) -> None:
        """GPUs cost from the start of the inference to its end, whether they work or load."""
        machine = self._payment.machine
        if machine is None:
            return
        rate = gpu_rate(machine, self._inner.leased())
        account.spent = round((self._clock() - self._began) * rate, 9)
        account.needed = account.spent + rate * 2 * WRITE_EVERY_S


def gpu_rate(machine: MachinePrices, leased: Leased) -> float:
    """Money per second. A GPU whose name no pattern fits counts as the dearest: a budget must hold."""
    dearest = machine.dearest_gpu_hour or 0.0
    prices = [machine.gpu_hour_of(gpu.name) for gpu in leased.gpus]
    return sum(dearest if price is None else price for price in prices) / HOUR_S


def budget_error(scope: Scope | None, *, evaluation: str, currency: str, wanted: float) -> BudgetReached:
    """`wanted`: the most that the next request could cost."""
    hints = {
        "run": "raise it (--budget, or budget in the config)",
        "day": "raise it (--budget-day, or budget.day), or wait for tomorrow",
        "evaluation": "raise it (column budget, or budget.evaluation)",
    }
    if scope is None:
        return BudgetReached("the budget is used up", where=evaluation, hint="raise it and run again")
    spent = scope.spent + scope.own.spent + sum(other.spent for other in scope.others)
    ends, more = "is used up", ""
    if spent < scope.limit and wanted > 0:
        ends, more = "pays no further request", f", and the next could cost up to {wanted:.3g}"
    what = f"the budget of the {scope.name} {ends}: {spent:.6g} of {scope.limit:g} {currency} spent{more}"
    return BudgetReached(
        what, where=evaluation, hint=f"{hints[scope.name]}; the same command asks only what is left"
    )


def over_budget(companion: Companion | None, *, where: str) -> BudgetReached:
    """The error of an inference that the driver has ended for want of money."""
    if isinstance(companion, Paying):
        return companion.reached()
    return budget_error(None, evaluation=where, currency="", wanted=0.0)


@contextmanager
def paying(
    payment: Payment | None, *, keeper: BudgetKeeper | None, inner: Companion | None, session: Session
) -> Iterator[Companion | None]:
    """`inner` itself where nobody is to be paid. The account is closed at the end, however that comes."""
    if payment is None or keeper is None:
        yield inner
        return
    with private_folder(Path(tempfile.gettempdir()), stem=FOLDERS) as folder:
        own_by(folder, user=session.user)
        companion = Paying(
            payment, keeper=keeper, inner=inner or Companion(), folder=folder, clock=session.clock
        )
        try:
            yield companion
        finally:
            companion.end()


def _number(event: Mapping[str, Any], key: str) -> float:
    value = event.get(key)
    return float(value) if isinstance(value, int | float) else 0.0
