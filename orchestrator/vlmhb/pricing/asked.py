"""The prices and budgets that a run is asked for: its config, the options of the command, the price table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path

from vlmhb.config.limits import budgets_from
from vlmhb.contracts import Budgets, ResolvedEvaluation, RunConfig
from vlmhb.errors import ErrorList

from .apply import apply_prices
from .find import find_prices
from .read import read_prices
from .table import PriceTable


@dataclass(frozen=True, kw_only=True)
class MoneyOptions:
    """Texts as given on the command line or in the environment; they go before the config's own."""

    prices: str | None = None
    budget: str | None = None  # of the run
    budget_day: str | None = None


@dataclass(frozen=True, kw_only=True)
class PricedRun:
    """`config` has the budgets in force."""

    config: RunConfig
    evaluations: tuple[ResolvedEvaluation, ...]
    table: PriceTable | None
    warnings: tuple[str, ...] = ()


def price_run(
    config: RunConfig,
    evaluations: Sequence[ResolvedEvaluation],
    *,
    options: MoneyOptions,
    workspace: Path,
    today: Date | None = None,
) -> PricedRun:
    """Raises `BadPrices`, `BadValue` or `NoPrice`, several as an `ErrorList`."""
    budgets = budgets_in_force(config.budget, options=options)
    table = _table(config, options=options, workspace=workspace)
    told = apply_prices(evaluations, table=table, budgets=budgets, file=str(config.path))
    if told.errors:
        raise told.errors[0] if len(told.errors) == 1 else ErrorList(told.errors)
    stale = table.warnings(today or Date.today()) if table else ()
    return PricedRun(
        config=config.model_copy(update={"budget": budgets}),
        evaluations=tuple(told.evaluations),
        table=table,
        warnings=(*stale, *told.warnings),
    )


def budgets_in_force(given: Budgets, *, options: MoneyOptions) -> Budgets:
    """Raises `BadValue`."""
    for scope, text in (("run", options.budget), ("day", options.budget_day)):
        if text:
            name = "--budget" if scope == "run" else "--budget-day"
            money = budgets_from([(scope, text)], where=name)
            update = {scope: getattr(money, scope)}
            given = given.model_copy(update={**update, "currency": money.currency or given.currency})
    return given


def _table(config: RunConfig, *, options: MoneyOptions, workspace: Path) -> PriceTable | None:
    """A path in the config is relative to the config's folder, one in an option to the current folder."""
    folder = config.path.absolute().parent
    if options.prices:
        beside, name, where = (Path.cwd(), folder), options.prices, "--prices"
    elif config.prices:
        beside, name, where = (folder, Path.cwd()), config.prices, str(config.path)
    else:
        return None
    return read_prices(find_prices(name, beside=beside, workspace=workspace, where=where))
