"""How commands that run something begin and end: networks and isolation before, outcomes and errors after."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from vlmhb.application import Prepared, Result
    from vlmhb.errors import VlmhbError
    from vlmhb.forecast import Forecast
    from vlmhb.plan.model import PlannedEvaluation


@contextmanager
def told(*, as_json: bool) -> Iterator[None]:
    """With `--json` what stopped everything is the last line on stdout too; the line on stderr comes from `main`."""
    from vlmhb.errors import Interrupted, VlmhbError, disk_error

    error: VlmhbError | None
    try:
        yield
        return
    except KeyboardInterrupt:
        error = Interrupted("stopped before anything was started")
    except VlmhbError as fault:
        error = fault
    except OSError as fault:
        error = disk_error(fault)
        if error is None:
            raise
    if as_json:
        nothing = {"run_id": None, "run_dir": None, "report": None, "status": "not started"}
        code = {"exit_code": int(error.exit_code), "evaluations": [], "errors": _errors([error])}
        typer.echo(json.dumps({**nothing, **code}, ensure_ascii=False))
    raise error from None


def introduce(prepared: Prepared) -> None:
    """Where it runs, and what is not as isolated as it should be, said before anything starts."""
    words = {
        "container": "each stage in a container of its own",
        "venv": "a virtual environment per image; isolation: venv",
    }
    engine = prepared.engine
    typer.echo(f"run {prepared.run_id} · engine {engine.name} ({words[engine.isolation]})", err=True)
    if prepared.sealed is None:  # else nobody is asked anything
        _tell_networks(prepared)
        _tell_alerts(prepared)


def _tell_alerts(prepared: Prepared) -> None:
    alerts = prepared.config.alerts
    if prepared.prices is None:
        return
    if alerts.command:
        typer.echo(f"  alerts: {alerts.command[0]}", err=True)
    if alerts.webhook is not None:  # its path may be a secret
        from urllib.parse import urlsplit

        place = urlsplit(alerts.webhook).hostname or alerts.webhook
        typer.echo(f"  alerts: webhook at {place}, from this host: network egress", err=True)


def tell_costs(prepared: Prepared) -> None:
    """Before a run: what it will probably cost."""
    if prepared.prices is not None:
        forecast = foretell(prepared, planned=prepared.plan_of_whole())
        for line in forecast.lines() if forecast else ():
            typer.echo(f"  {line}", err=True)


def foretell(prepared: Prepared, *, planned: list[PlannedEvaluation]) -> Forecast | None:
    """None for a run without prices."""
    from vlmhb.forecast import forecast_of

    if prepared.prices is None:
        return None
    return forecast_of(
        planned,
        {item.id: item for item in prepared.evaluations},
        run_id=prepared.run_id,
        budgets=prepared.config.budget,
        currency=prepared.prices.currency,
        workspace=prepared.workspace,
    )


def _tell_networks(prepared: Prepared) -> None:
    from vlmhb.execution.jobs import network_of, urls_of

    for asked in prepared.chains:
        if urls := urls_of(asked):
            network = network_of(urls, container=prepared.engine.isolation == "container")
            typer.echo(f"  {asked.evaluation.id}: network {network}", err=True)


def conclude(result: Result, *, as_json: bool, more: Mapping[str, Any] | None = None) -> NoReturn:
    """`more`: what this command alone has to tell in the JSON object."""
    from vlmhb.cli.answered import answered_line, read_answered

    told = read_answered(result.report.with_suffix(".json")) if result.report is not None else {}
    for outcome in result.outcomes:
        seen = answered_line(outcome.counts, told=told.get(outcome.id))
        typer.echo(f"{outcome.status:<11} {outcome.id}: {seen}", err=True)
        for error in (outcome.error, outcome.over_budget):
            if error is not None:
                typer.echo(f"  {error.line()}", err=True)
    if result.report is not None:
        typer.echo(f"report: {os.path.relpath(result.report)}", err=True)
    if as_json:
        typer.echo(json.dumps({**_summary(result), **(more or {})}, ensure_ascii=False))
    raise typer.Exit(int(result.exit_code))


def _summary(result: Result) -> dict[str, Any]:
    return {
        "run_id": result.run_id,
        "run_dir": str(result.run_dir),
        "report": str(result.report) if result.report else None,
        "status": result.status,
        "exit_code": int(result.exit_code),
        "evaluations": [item.summary() for item in result.outcomes],
        "errors": _errors(result.errors),
    }


def _errors(errors: Iterable[VlmhbError]) -> list[dict[str, str]]:
    from vlmhb.errors import ErrorList

    single = chain.from_iterable(item.errors if isinstance(item, ErrorList) else (item,) for item in errors)
    return [{"code": error.code, "message": error.line()} for error in single]


def print_plan(prepared: Prepared, *, as_json: bool, explain: bool) -> None:
    planned = prepared.plan()
    forecast = foretell(prepared, planned=planned)
    stand_ins = _stand_ins(prepared)
    if as_json:
        value = {
            "run_id": prepared.run_id,
            "engine": prepared.engine.name,
            "evaluations": [
                {**item.model_dump(mode="json"), "fallbacks": stand_ins.get(item.id, [])} for item in planned
            ],
            "cost": forecast.as_json() if forecast else None,
        }
        typer.echo(json.dumps(value, ensure_ascii=False))
        return
    width = max((len(stage.name) for item in planned for stage in item.stages), default=0)
    for item in planned:
        for stage in item.stages:
            typer.echo(f"{stage.decision:<7} {stage.name:<{max(width, 9)}} {item.id}  ({stage.reason})")
            if explain and stage.identity is not None:
                typer.echo(f"        fingerprint {stage.fingerprint}")
                for key, value in sorted(stage.identity.items()):
                    typer.echo(f"        {key}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}")
        if names := stand_ins.get(item.id):
            typer.echo(f"        fallbacks of {item.id}, in this order: {', '.join(names)}")
    for line in forecast.lines() if forecast else ():
        typer.echo(line)
    typer.echo("run     report    when any of the above has run, or the report is not there yet")


def _stand_ins(prepared: Prepared) -> dict[str, list[str]]:
    """By evaluation: who is asked, in this order, when its model cannot be reached, and where."""
    from vlmhb.plan.fallbacks import fallback_places

    return {item.id: list(fallback_places(item)) for item in prepared.evaluations}
