"""The money of one run: which of its inferences cost something, and who keeps the budgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path
from typing import Any

from vlmhb import secrets
from vlmhb.budget.alerts import Messenger
from vlmhb.budget.keeper import BudgetKeeper
from vlmhb.budget.ledger import Ledger
from vlmhb.budget.scopes import Limits
from vlmhb.contracts import Alerts, Budgets, ResolvedEvaluation
from vlmhb.execution.paying import Payment, paying
from vlmhb.execution.session import Session
from vlmhb.execution.stages import Companion
from vlmhb.pricing.table import PriceTable
from vlmhb.reading.secretref import is_secret_reference
from vlmhb.store.workspace import Workspace


def ledger_of(workspace: Workspace) -> Ledger:
    return Ledger(workspace.root / "costs")


@dataclass(frozen=True, kw_only=True)
class Paid:
    """What the ledger says of one evaluation in one run, all its restarts together."""

    amount: float
    currency: str


@dataclass(frozen=True, kw_only=True)
class Money:
    """`keeper` None: the run has no prices, so nothing costs anything that we know of."""

    keeper: BudgetKeeper | None = None

    def inference(
        self, evaluation: ResolvedEvaluation, *, artifact: str, server: Companion | None, session: Session
    ) -> AbstractContextManager[Companion | None]:
        """What lives beside the driver, with its spending kept."""
        payment = payment_of(evaluation, artifact=artifact)
        return paying(payment, keeper=self.keeper, inner=server, session=session)


def payment_of(evaluation: ResolvedEvaluation, *, artifact: str) -> Payment | None:
    """By its tokens where the model has a price; else by the hour of its GPUs, where those have one."""
    if evaluation.answers_file is not None or evaluation.model.interface == "replay":
        return None
    limit = evaluation.budget
    if evaluation.price is not None or any(evaluation.fallback_prices):
        return Payment(evaluation=evaluation.id, artifact=artifact, limit=limit)
    if evaluation.machine is not None and evaluation.machine.gpu_hour:
        return Payment(evaluation=evaluation.id, artifact=artifact, limit=limit, machine=evaluation.machine)
    return None


@contextmanager
def money_of_run(
    session: Session,
    *,
    prices: PriceTable | None,
    budgets: Budgets,
    alerts: Alerts,
    parallel: bool,
    env: Mapping[str, str],
) -> Iterator[Money]:
    """`parallel`: several inferences may run at a time. Alerts on their way are waited for at the end."""
    if prices is None:
        yield Money()
        return
    webhook = webhook_of(alerts, env=env)
    messenger = Messenger(command=alerts.command, webhook=webhook, tell=session.progress.message)
    with messenger:
        keeper = BudgetKeeper(
            ledger=ledger_of(session.workspace),
            run_id=session.run_id,
            currency=prices.currency,
            limits=Limits(run=budgets.run, day=budgets.day, evaluation=budgets.evaluation),
            messenger=messenger,
            parallel=parallel,
            out_of=lambda fingerprint: session.workspace.artifact("infer", fingerprint).out,
        )
        keeper.reconcile()
        yield Money(keeper=keeper)


def webhook_of(alerts: Alerts, *, env: Mapping[str, str]) -> str | None:
    """Raises `SecretMissing`."""
    if alerts.webhook is None or not is_secret_reference(alerts.webhook):
        return alerts.webhook
    return secrets.lookup(alerts.webhook, env=env, home=Path.home())


def paid_by_run(workspace: Workspace, run_id: str) -> dict[str, Paid]:
    """By evaluation, for the report."""
    ledger = ledger_of(workspace)
    found: dict[str, Paid] = {}
    for date in ledger.dates():
        for entry in ledger.read(date).entries.values():
            if entry.run == run_id:
                before = found.get(entry.evaluation)
                amount = entry.spent + (before.amount if before else 0.0)
                found[entry.evaluation] = Paid(amount=round(amount, 9), currency=entry.currency)
    return found


def spent_on(workspace: Workspace, *, currency: str, date: Date) -> float:
    """By all runs of the workspace on that day."""
    entries = ledger_of(workspace).read(date).entries.values()
    return round(sum(entry.spent for entry in entries if entry.currency == currency), 9)


def spent_by_run(workspace: Workspace, run_id: str, *, currency: str, evaluation: str | None = None) -> float:
    """By the whole run, or by one evaluation of it."""
    paid = paid_by_run(workspace, run_id).items()
    wanted = (one for name, one in paid if evaluation in (None, name) and one.currency == currency)
    return round(sum(one.amount for one in wanted), 9)


def budget_state(
    workspace: Workspace, run_id: str, *, budgets: Budgets, currency: str, today: Date
) -> dict[str, Any]:
    """`{scope: {limit, spent}}` of the scopes that have a limit, for reports."""
    found: dict[str, Any] = {}
    if budgets.run is not None:
        spent = spent_by_run(workspace, run_id, currency=currency)
        found["run"] = {"limit": budgets.run, "spent": spent}
    if budgets.day is not None:
        spent = spent_on(workspace, currency=currency, date=today)
        found["day"] = {"limit": budgets.day, "spent": spent}
    return found
