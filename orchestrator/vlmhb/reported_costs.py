"""What the report is told of money and machines: prices, what this run has paid, what the model servers have used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date as Date
from typing import Any

from vlmhb.contracts import Budgets, ResolvedEvaluation
from vlmhb.execution.money import Paid, budget_state, paid_by_run
from vlmhb.outcomes import Outcome
from vlmhb.pricing.machines import machine_cost
from vlmhb.store.workspace import Workspace

WH_J = 3600.0


@dataclass(frozen=True, kw_only=True)
class MoneyState:
    """`currency` None: the run had no prices. `paid`: by evaluation; `budgets`: `{scope: {limit, spent}}`."""

    currency: str | None = None
    paid: Mapping[str, Paid] = field(default_factory=dict)
    budgets: dict[str, dict[str, float]] = field(default_factory=dict)


def money_state(
    workspace: Workspace, run_id: str, *, currency: str | None, budgets: Budgets, today: Date | None = None
) -> MoneyState:
    if currency is None:
        return MoneyState()
    return MoneyState(
        currency=currency,
        paid={
            name: paid for name, paid in paid_by_run(workspace, run_id).items() if paid.currency == currency
        },
        budgets=budget_state(
            workspace, run_id, budgets=budgets, currency=currency, today=today or Date.today()
        ),
    )


def cost_info(evaluation: ResolvedEvaluation, outcome: Outcome, *, money: MoneyState) -> dict[str, Any]:
    """Empty without prices."""
    price, machine = evaluation.price, evaluation.machine
    currency = price.currency if price else machine.currency if machine else money.currency
    if currency is None:
        return {}
    inferred = outcome.manifests.get("infer")
    used = (inferred.extra.get("resources") if inferred else None) or {}
    paid = money.paid.get(evaluation.id)
    stopped = outcome.over_budget or (
        outcome.error if outcome.error and outcome.error.code == "VHB506" else None
    )
    return {
        "currency": currency,
        "price": price.model_dump(mode="json") if price else None,
        "machine_cost": {name: round(cost, 9) for name, cost in machine_cost(machine, used).items()}
        if machine
        else {},
        "machine_source": machine.source if machine else None,
        "paid": paid.amount if paid else 0.0 if money.currency else None,  # None: a rescore pays nobody
        "budget": evaluation.budget,
        "over_budget": stopped.line() if stopped else None,
    }


def resource_info(used: Mapping[str, Any] | None) -> dict[str, Any]:
    """The sampled resources whole, and the numbers of `performance` among them."""
    if not used:
        return {}
    gpus = list((used.get("gpus") or {}).values())
    peaks = [float(gpu["peak_memory_mib"]) for gpu in gpus if gpu.get("peak_memory_mib") is not None]
    utils = [float(gpu["mean_util"]) for gpu in gpus if gpu.get("mean_util") is not None]
    energy = used.get("energy_j")
    return {
        "resources": dict(used),
        "peak_vram_mib": sum(peaks) if peaks else None,
        "gpu_util": round(sum(utils) / len(utils) / 100, 4) if utils else None,
        "energy_wh": round(float(energy) / WH_J, 3) if energy is not None else None,
    }


def price_provenance(evaluation: ResolvedEvaluation) -> dict[str, Any]:
    """Prices identify nothing, but whoever reads a cost must know whose they were and of which day."""
    if evaluation.price is not None:
        return {"prices": evaluation.price.model_dump(mode="json")}
    if evaluation.machine is not None:
        return {"prices": evaluation.machine.model_dump(mode="json")}
    return {}
