"""Puts prices and budgets to resolved evaluations, and refuses budgets that nobody could keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vlmhb.config.money import money_of
from vlmhb.contracts import Budgets, ResolvedEvaluation
from vlmhb.errors import BadValue, NoPrice, VlmhbError
from vlmhb.modelcard import URL_INTERFACES, ModelCard

from .table import PriceTable

_TABLE_HINT = "add it to the price table, or empty the budget"
_NO_TABLE_HINT = "give a price table: prices: FILE in the config, or --prices FILE"


@dataclass(kw_only=True)
class Priced:
    """The evaluations with their prices and budgets; what is wrong or doubtful about them."""

    evaluations: list[ResolvedEvaluation] = field(default_factory=list)
    errors: list[VlmhbError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def refuse(self, error: VlmhbError) -> None:
        if error.line() not in {known.line() for known in self.errors}:
            self.errors.append(error)


def apply_prices(
    evaluations: Sequence[ResolvedEvaluation], *, table: PriceTable | None, budgets: Budgets, file: str
) -> Priced:
    """`file`: the run config, for messages."""
    told = Priced()
    _check_currency(budgets.currency, table=table, what="the budget", where=file, told=told)
    for evaluation in evaluations:
        limit = _own_limit(evaluation, budgets=budgets, table=table, told=told)
        priced = evaluation.model_copy(
            update={
                "budget": limit,
                "price": table.price_of(evaluation.model) if table else None,
                "fallback_prices": tuple(
                    table.price_of(card) if table else None for card in evaluation.fallbacks
                ),
                "machine": table.machines if table and not _is_elsewhere(evaluation) else None,
            }
        )
        limited = any(value is not None for value in (limit, budgets.run, budgets.day))
        _check(priced, table=table, limited=limited, told=told)
        told.evaluations.append(priced)
    return told


def _own_limit(
    evaluation: ResolvedEvaluation, *, budgets: Budgets, table: PriceTable | None, told: Priced
) -> float | None:
    text = evaluation.row.budget
    if text is None:
        return budgets.evaluation
    where = str(evaluation.row.place.model_copy(update={"column": "budget"}))
    money = money_of(text, what="budget", where=where)
    _check_currency(money.currency, table=table, what="the budget", where=where, told=told)
    return money.amount


def _check_currency(
    currency: str | None, *, table: PriceTable | None, what: str, where: str, told: Priced
) -> None:
    if currency is not None and table is not None and currency != table.currency:
        hint = f"write the budget in {table.currency}"
        said = f"{what} is in {currency}, the prices are in {table.currency}"
        told.refuse(BadValue(said, where=where, hint=hint))


def _is_elsewhere(evaluation: ResolvedEvaluation) -> bool:
    """No machine of ours works for it: a URL, or recorded answers."""
    replayed = evaluation.answers_file is not None or evaluation.model.interface == "replay"
    return replayed or evaluation.model.interface in URL_INTERFACES


def _check(evaluation: ResolvedEvaluation, *, table: PriceTable | None, limited: bool, told: Priced) -> None:
    """A model without a price is told once; with a budget it is an error where money leaves the house."""
    if evaluation.answers_file is not None or evaluation.model.interface == "replay":
        return
    where = str(evaluation.row.place)
    asked = [(evaluation.model, evaluation.price)]
    asked += zip(evaluation.fallbacks, evaluation.fallback_prices, strict=True)
    for model, price in asked:
        if price is not None:
            continue
        if model.interface in URL_INTERFACES:
            _no_price(model, table=table, limited=limited, where=where, told=told)
        elif limited and not _is_machine_priced(evaluation):
            told.warn(
                f"budget: nothing of model '{model.name}' is priced (its GPU-hours, or its tokens): "
                "it runs without a budget"
            )


def _no_price(model: ModelCard, *, table: PriceTable | None, limited: bool, where: str, told: Priced) -> None:
    if limited:
        what = f"a budget needs a price of model '{model.name}', which is behind a URL"
        told.refuse(NoPrice(what, where=where, hint=_TABLE_HINT if table else _NO_TABLE_HINT))
    elif table is not None:
        told.warn(f"{table.origin}: no price of model '{model.name}': its cost is not known")


def _is_machine_priced(evaluation: ResolvedEvaluation) -> bool:
    machine = evaluation.machine
    return (
        machine is not None
        and bool(machine.gpu_hour)
        and (evaluation.model.gpus > 0 or bool(evaluation.row.gpus))
    )
