"""Looking at runs: `vlmhb status`, `report`, and ending one: `stop`."""

from __future__ import annotations

import json
import os
import signal
import socket
from typing import Annotated, Any

import typer

from vlmhb.cli.following import KILLED, find_run, follow, live_state
from vlmhb.cli.options import DEFAULT_WORKSPACE, RunName, WorkspaceOption
from vlmhb.console import printable


def status(
    run_name: RunName = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it live until it ends.")] = False,
) -> None:
    """Show how a run stands: state, evaluations, samples done.

    Example: vlmhb status --watch
    """
    from vlmhb.cli.answered import answered_line, read_answered
    from vlmhb.progress.recorded import latest

    record = find_run(run_name, workspace)
    if watch:
        follow(record)
    state = live_state(record)
    if state["status"] in ("running", KILLED):
        state["progress"] = latest(record.events)
        told = {}
    else:
        told = read_answered(record.report_dir / "report.json")
        state["answers"] = {name: one.model_dump() for name, one in told.items()}
    if as_json:
        typer.echo(json.dumps(state, ensure_ascii=False))
        return
    begun = f"(started {state['started']}, config {state['config']})"
    typer.echo(printable(f"{state['run_id']}: {state['status']} {begun}"))
    for name, seen in state.get("progress", {}).items():
        typer.echo(printable(f"  {seen['state']:<11} {seen['stage']:<9} {name}  {_samples(seen)}".rstrip()))
    if state["status"] == KILLED:
        typer.echo("the same vlmhb run command continues, or: vlmhb resume", err=True)
    for item in state.get("evaluations", []):
        seen = answered_line(item["counts"], told=told.get(item["id"]))
        typer.echo(printable(f"  {item['status']:<11} {item['id']}: {seen}"))
        if item["failure"]:
            typer.echo(printable(f"    {item['failure']['message']}"))


def report(run_name: RunName = None, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Print where a run's report is, and its Markdown form.

    Example: vlmhb report | less
    """
    record = find_run(run_name, workspace)
    markdown = record.report_dir / "report.md"
    if not markdown.exists():
        from vlmhb.errors import UnknownRun

        raise UnknownRun(
            "this run has no report yet", where=record.id, hint="the same vlmhb run command makes it"
        )
    typer.echo(str(record.report_dir / "report.html"), err=True)
    typer.echo(markdown.read_text(encoding="utf-8"), nl=False)


def stop(run_name: RunName = None, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Stop a run after its requests in flight.

    The same `vlmhb run` command, or `vlmhb resume`, continues it.
    """
    record = find_run(run_name, workspace)
    state = live_state(record)
    if state["status"] != "running":
        typer.echo(f"{record.id} is not running ({state['status']})", err=True)
        return
    if state["host"] != socket.gethostname():
        from vlmhb.errors import UnknownRun

        raise UnknownRun(f"{record.id} runs on {state['host']}, not here", hint="stop it there")
    os.kill(int(state["pid"]), signal.SIGTERM)
    typer.echo(f"{record.id}: asked to stop", err=True)


def _samples(seen: dict[str, Any]) -> str:
    from vlmhb.progress.meter import money, troubles
    from vlmhb.progress.view import Counted

    counted = Counted.of_event(seen)
    if not counted.total:
        return ""
    cost = [] if counted.cost is None else [money(counted.cost)]
    return ", ".join([f"{counted.done}/{counted.total}", *troubles(counted), *cost])
