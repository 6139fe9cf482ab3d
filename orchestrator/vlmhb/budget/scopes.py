"""The limits that an inference is under, filled in with what the ledger says of everybody. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date as Date

from vlmhb.budget.grants import Holding, Scope, ScopeName
from vlmhb.budget.ledger import Day, Entry


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Of one inference. None = none."""

    run: float | None = None
    day: float | None = None
    evaluation: float | None = None

    def __bool__(self) -> bool:
        return any(limit is not None for limit in (self.run, self.day, self.evaluation))


@dataclass(frozen=True, kw_only=True)
class Position:
    """Whose limits they are. `key`: its own entry of today. `parallel`: others of its run may start meanwhile."""

    key: str
    run: str
    evaluation: str
    currency: str
    today: Date
    parallel: bool = False


def scopes_of(limits: Limits, *, position: Position, days: Iterable[Day]) -> list[Scope]:
    """Money of another currency is another budget's."""
    entries = [
        (day.date, key, entry)
        for day in days
        for key, entry in day.entries.items()
        if entry.currency == position.currency
    ]

    def of_run(_date: Date, entry: Entry) -> bool:
        return entry.run == position.run

    def of_evaluation(date: Date, entry: Entry) -> bool:
        return of_run(date, entry) and entry.evaluation == position.evaluation

    def of_day(date: Date, _entry: Entry) -> bool:
        return date == position.today

    wanted: list[tuple[ScopeName, float | None, Callable[[Date, Entry], bool], bool]] = [
        ("run", limits.run, of_run, position.parallel),
        ("day", limits.day, of_day, True),
        ("evaluation", limits.evaluation, of_evaluation, False),
    ]
    return [
        _scope(
            name,
            limit,
            position=position,
            entries=[(date, key, entry) for date, key, entry in entries if belongs(date, entry)],
            shared=shared,
        )
        for name, limit, belongs, shared in wanted
        if limit is not None
    ]


def _scope(
    name: ScopeName,
    limit: float,
    *,
    position: Position,
    entries: list[tuple[Date, str, Entry]],
    shared: bool,
) -> Scope:
    own = Holding()
    others: list[Holding] = []
    spent = 0.0
    for date, key, entry in entries:
        if key == position.key and date == position.today:
            own = entry.holding
        elif entry.is_open:
            others.append(entry.holding)
        else:
            spent += entry.spent
    return Scope(name=name, limit=limit, own=own, others=tuple(others), spent=spent, shared=shared)


def spent_in(scope: Scope) -> float:
    return scope.spent + scope.own.spent + sum(other.spent for other in scope.others)
