"""What a run will cost as far as can be told before it, against what it may cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date
from typing import Any

from vlmhb.contracts import Budgets, ResolvedEvaluation
from vlmhb.estimating import Estimate, estimates
from vlmhb.execution.money import spent_by_run, spent_on
from vlmhb.plan.model import PlannedEvaluation
from vlmhb.pricing.estimate import NOTHING, Range
from vlmhb.store.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Against:
    """One limit: what of it is spent already, and what is expected now."""

    scope: str  # run, day, or `evaluation <id>`
    limit: float
    spent: float
    expected: Range
    complete: bool = True  # False: of some evaluations nothing is known

    @property
    def enough(self) -> str:
        """`no`: not even the low end fits; `maybe`: the high end does not; `unknown`: what is known fits."""
        left = self.limit - self.spent
        if self.expected.low > left:
            return "no"
        if not self.complete:
            return "unknown"
        return "maybe" if self.expected.high > left else "yes"


@dataclass(frozen=True, kw_only=True)
class Forecast:
    currency: str
    estimates: tuple[Estimate, ...]
    budgets: tuple[Against, ...]

    @property
    def total(self) -> Range:
        """Of what is known."""
        return _sum(self.estimates)

    @property
    def unknown(self) -> tuple[str, ...]:
        return tuple(one.id for one in self.estimates if one.cost is None)

    def as_json(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "low": _rounded(self.total.low),
            "high": _rounded(self.total.high),
            "unknown": list(self.unknown),
            "evaluations": [
                {
                    "id": one.id,
                    "samples": one.samples,
                    "low": _rounded(one.cost.low) if one.cost else None,
                    "high": _rounded(one.cost.high) if one.cost else None,
                    "each": _rounded(one.each) if one.each is not None else None,
                    "basis": one.words(),
                }
                for one in self.estimates
            ],
            "budgets": [
                {"scope": one.scope, "limit": one.limit, "spent": one.spent, "enough": one.enough}
                for one in self.budgets
            ],
        }

    def lines(self) -> list[str]:
        told = [
            f"cost    {one.id}: {_money(one.cost, self.currency)}"
            + (f" for {one.samples} samples" if one.samples and one.cost else "")
            + f" ({one.words()})"
            for one in self.estimates
        ]
        if len(self.estimates) > 1:
            left_out = f", {len(self.unknown)} not known" if self.unknown else ""
            told.append(f"cost    all: {_money(self.total, self.currency)}{left_out}")
        words = {
            "yes": "enough",
            "maybe": "may not be enough",
            "no": "not enough",
            "unknown": "not known yet whether it is enough",
        }
        for one in self.budgets:
            told.append(
                f"budget  {one.scope}: {one.limit:g} {self.currency}, {one.spent:.4g} of it spent: "
                + words[one.enough]
            )
        return told


def forecast_of(
    planned: Sequence[PlannedEvaluation],
    evaluations: Mapping[str, ResolvedEvaluation],
    *,
    run_id: str,
    budgets: Budgets,
    currency: str,
    workspace: Workspace,
    today: Date | None = None,
) -> Forecast:
    found = tuple(estimates(planned, evaluations, workspace=workspace))
    complete = all(one.cost is not None for one in found)
    limits: list[Against] = []
    if budgets.run is not None:
        spent = spent_by_run(workspace, run_id, currency=currency)
        limits.append(
            Against(scope="run", limit=budgets.run, spent=spent, expected=_sum(found), complete=complete)
        )
    if budgets.day is not None:
        spent = spent_on(workspace, currency=currency, date=today or Date.today())
        limits.append(
            Against(scope="day", limit=budgets.day, spent=spent, expected=_sum(found), complete=complete)
        )
    for one in found:
        limit = evaluations[one.id].budget
        if limit is not None:
            spent = spent_by_run(workspace, run_id, currency=currency, evaluation=one.id)
            limits.append(
                Against(
                    scope=f"evaluation {one.id}",
                    limit=limit,
                    spent=spent,
                    expected=one.cost or NOTHING,
                    complete=one.cost is not None,
                )
            )
    return Forecast(currency=currency, estimates=found, budgets=tuple(limits))


def _sum(found: Sequence[Estimate]) -> Range:
    return sum((one.cost for one in found if one.cost is not None), NOTHING)


def _rounded(value: float) -> float:
    return round(value, 9)


def _money(cost: Range | None, currency: str) -> str:
    if cost is None:
        return "not known"
    low, high = f"{cost.low:.3g}", f"{cost.high:.3g}"
    return f"{low} {currency}" if low == high else f"{low}–{high} {currency}"
