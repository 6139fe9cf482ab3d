"""Keeps the budgets of a run: grants money to its inferences, writes down what they spend, warns and stops."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from vlmhb.budget.alerts import Alert, Messenger, steps_reached
from vlmhb.budget.grants import EPSILON, Grant, Scope, grant
from vlmhb.budget.ledger import Books, Entry, Ledger
from vlmhb.budget.records import spent_by_artifact
from vlmhb.budget.scopes import Limits, Position, scopes_of, spent_in
from vlmhb.store.locks import owner_name, process_start

STALE_S = 600.0  # an entry kept on another host that nobody has touched for so long has no keeper any more
LOOK_BACK = timedelta(days=7)  # how far back entries of dead processes are looked for


def local_now() -> datetime:
    return datetime.now().astimezone()


@dataclass(kw_only=True)
class Account:
    """One start of one inference. Amounts are sums of this start."""

    key: str
    evaluation: str
    artifact: str
    limits: Limits
    base: float | None
    began: float
    spent: float = 0.0
    granted: float = 0.0
    needed: float = 0.0  # it could go on at once with as much
    final: bool = False
    ended_by: Scope | None = None
    today: str = ""
    earlier: float = 0.0  # spent on earlier days


@dataclass(kw_only=True)
class BudgetKeeper:
    """Of one run. `parallel`: several of its inferences may run at a time. Safe to call from several threads.

    The sum of what was granted and not returned, and of what was spent, never exceeds a limit of any scope."""

    ledger: Ledger
    run_id: str
    currency: str
    limits: Limits  # `evaluation` is of those without one of their own
    messenger: Messenger
    parallel: bool = False
    now: Callable[[], datetime] = local_now
    out_of: Callable[[str], Path]  # the output folder of an inference, by its fingerprint
    owner: str = field(
        default_factory=lambda: owner_name(
            host=socket.gethostname(), pid=os.getpid(), start=process_start(os.getpid())
        )
    )
    _count: int = 0

    def open(self, *, evaluation: str, artifact: str, limit: float | None, metered: bool) -> Account:
        """To be called by whoever holds the artifact's lock, before it is started. `metered`: its own records tell
        what it spends."""
        with self.ledger.editing() as books:
            self._close_dead(books, artifact=artifact)
            now = self.now()
            self._count += 1
            account = Account(
                key=f"{artifact[:12]}-{os.getpid()}-{int(now.timestamp() * 1000)}-{self._count}",
                evaluation=evaluation,
                artifact=artifact,
                limits=Limits(run=self.limits.run, day=self.limits.day, evaluation=limit),
                base=spent_by_artifact(self.out_of(artifact)) if metered else None,
                began=now.timestamp(),
            )
            self._entry(books, account)
            self._settle(books, account)
        return account

    def update(self, account: Account) -> None:
        """Write down what the account has spent, give it what it needs if there is as much, tell who is to be told."""
        with self.ledger.editing() as books:
            self._entry(books, account)
            self._settle(books, account)

    def close(self, account: Account) -> None:
        """What it has not spent goes back; its own records have the last word about what it has."""
        with self.ledger.editing() as books:
            entry = self._entry(books, account)
            self._read_records(account)
            if entry.is_open:
                entry.close(spent=max(0.0, account.spent - account.earlier))
            self._warn(books, account)

    def reconcile(self) -> None:
        """Close what dead processes have left open, by the records of their artifacts."""
        with self.ledger.editing() as books:
            self._close_dead(books, artifact=None)

    def stopped(self, account: Account) -> Scope | None:
        """The limit that ended the inference, as it stands now; everybody concerned is told."""
        with self.ledger.editing() as books:
            self._read_records(account)
            self._entry(books, account)
            scopes = self._scopes(books, account)
            name = account.ended_by.name if account.ended_by else None
            found = next((scope for scope in scopes if scope.name == name), None)
            tightest = found or min(scopes, key=lambda scope: scope.left, default=None)
            if tightest is not None:
                self._tell(books, account, tightest, percent=100)
        return tightest

    def _read_records(self, account: Account) -> None:
        """Events are late, and the last one may never come."""
        if account.base is not None:
            account.spent = max(0.0, spent_by_artifact(self.out_of(account.artifact)) - account.base)

    def _entry(self, books: Books, account: Account) -> Entry:
        """The account's entry of today, up to date; at midnight what is granted and not spent moves to the new day."""
        now = self.now()
        today = now.date()
        day = books.day(today)
        entry = day.entries.get(account.key)
        if entry is None:
            if account.today:
                yesterday = books.day(datetime.fromisoformat(account.today).date()).entries[account.key]
                yesterday.close(spent=account.spent - account.earlier)
                account.earlier = account.spent
            account.today = today.isoformat()
            entry = Entry(
                run=self.run_id,
                evaluation=account.evaluation,
                artifact=account.artifact,
                currency=self.currency,
                owner=self.owner,
                began=account.began,
                touched=now.timestamp(),
                base=None if account.base is None else account.base + account.earlier,
            )
            day.entries[account.key] = entry
        if entry.is_open:
            entry.spent = round(account.spent - account.earlier, 9)
            entry.granted = round(account.granted - account.earlier, 9)
            entry.waiting = account.needed > account.granted + EPSILON
            entry.touched = round(now.timestamp(), 1)
        return entry

    def _settle(self, books: Books, account: Account) -> None:
        wants = account.needed > account.granted + EPSILON or account.granted == 0
        if account.limits and wants and not account.final:
            given = self._grant(books, account)
            account.granted = round(account.granted + given.more, 9)
            account.final = given.final
            self._entry(books, account)
        self._warn(books, account)

    def _grant(self, books: Books, account: Account) -> Grant:
        scopes = self._scopes(books, account)
        given = grant(scopes, wanted=max(0.0, account.needed - account.granted))
        if given.final:
            account.ended_by = next(scope for scope in scopes if scope.name == given.scope)
        return given

    def _scopes(self, books: Books, account: Account) -> list[Scope]:
        position = Position(
            key=account.key,
            run=self.run_id,
            evaluation=account.evaluation,
            currency=self.currency,
            today=self.now().date(),
            parallel=self.parallel,
        )
        return scopes_of(account.limits, position=position, days=books.all())

    def _warn(self, books: Books, account: Account) -> None:
        for scope in self._scopes(books, account):
            told = books.day(self.now().date()).told.get(self._told_key(account, scope), 0)
            step = steps_reached(spent=spent_in(scope), limit=scope.limit, told=told)
            if step is not None:
                self._tell(books, account, scope, percent=step)

    def _tell(self, books: Books, account: Account, scope: Scope, *, percent: int) -> None:
        now = self.now()
        told = books.day(now.date()).told
        key = self._told_key(account, scope)
        if told.get(key, 0) >= percent:
            return
        told[key] = percent
        names = {"run": self.run_id, "day": now.date().isoformat(), "evaluation": account.evaluation}
        self.messenger.send(
            Alert(
                run_id=self.run_id,
                scope=scope.name,
                name=names[scope.name],
                spent=round(spent_in(scope), 9),
                limit=scope.limit,
                currency=self.currency,
                percent=percent,
                time=now.isoformat(timespec="seconds"),
            )
        )

    def _told_key(self, account: Account, scope: Scope) -> str:
        """With the limit: one that was raised warns anew."""
        names = {"run": self.run_id, "day": "", "evaluation": f"{self.run_id}/{account.evaluation}"}
        return f"{scope.name}:{names[scope.name]}:{scope.limit:g}"

    def _close_dead(self, books: Books, *, artifact: str | None) -> None:
        """All that are dead, or those of `artifact`, whose lock the caller holds: nobody else can be at it."""
        since = self.now().date() - LOOK_BACK
        for date in self.ledger.dates():
            if date < since:
                continue
            day = books.day(date)
            for entry in day.entries.values():
                if entry.is_open and (
                    entry.artifact == artifact or (artifact is None and self._is_dead(entry))
                ):
                    entry.close(spent=self._real(entry))

    def _real(self, entry: Entry) -> float:
        if entry.base is None:
            return entry.spent
        return max(0.0, spent_by_artifact(self.out_of(entry.artifact)) - entry.base)

    def _is_dead(self, entry: Entry) -> bool:
        host, pid, start = entry.owner.rsplit("-", 2)
        if host != socket.gethostname():
            return self.now().timestamp() - entry.touched > STALE_S
        return process_start(int(pid)) != start
