"""Looking at runs: `vlmhb status`, `logs`, `report`, and ending one: `stop`."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Annotated, Any

import typer

from vlmhb.cli.options import DEFAULT_WORKSPACE, RunName, WorkspaceOption

STAGES = ("prepare", "infer", "evaluate")


def status(
    run_name: RunName = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False,
) -> None:
    """Show how a run stands: state, evaluations, samples done.

    Example: vlmhb status
    """
    record = _find(run_name, workspace)
    state = _live(record.state())
    if as_json:
        typer.echo(json.dumps(state, ensure_ascii=False))
        return
    typer.echo(f"{state['run_id']}: {state['status']} (started {state['started']}, config {state['config']})")
    for item in state.get("evaluations", []):
        counts = item["counts"]
        seen = f"{counts['ok']}/{counts['planned']} answered" if counts else "no answers"
        typer.echo(f"  {item['status']:<11} {item['id']}: {seen}")
        if item["failure"]:
            typer.echo(f"    {item['failure']['message']}")


def logs(
    run_name: RunName = None,
    evaluation: Annotated[str | None, typer.Option("--evaluation", "-e", help="Only this one.")] = None,
    stage: Annotated[str | None, typer.Option("--stage", "-s", help="prepare, infer or evaluate.")] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Print the logs of a run's containers.

    Example: vlmhb logs quickstart-1a2b3c4d --stage infer
    """
    record = _find(run_name, workspace)
    for folder in sorted((record.folder / "evaluations").glob(evaluation or "*")):
        for name in STAGES if stage is None else (stage,):
            log = folder / name / "log.txt"
            if log.exists():
                typer.echo(f"--- {folder.name} {name} ({log.resolve()})")
                typer.echo(log.read_text(encoding="utf-8", errors="replace"), nl=False)


def report(run_name: RunName = None, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Print where a run's report is, and its Markdown form.

    Example: vlmhb report | less
    """
    record = _find(run_name, workspace)
    markdown = record.report_dir / "report.md"
    if not markdown.exists():
        from vlmhb.errors import UnknownRun

        raise UnknownRun(
            "this run has no report yet", where=record.id, hint="the same vlmhb run command makes it"
        )
    typer.echo(str(record.report_dir / "report.html"), err=True)
    typer.echo(markdown.read_text(encoding="utf-8"), nl=False)


def stop(run_name: RunName = None, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Ask a running run to finish its requests in flight and stop; the same `run` command continues it."""
    record = _find(run_name, workspace)
    state = _live(record.state())
    if state["status"] != "running":
        typer.echo(f"{record.id} is not running ({state['status']})", err=True)
        return
    os.kill(int(state["pid"]), signal.SIGTERM)
    typer.echo(f"{record.id}: asked to stop", err=True)


def _find(run_name: str | None, workspace: Path) -> Any:
    from vlmhb.runs import RunRecord
    from vlmhb.store.workspace import Workspace

    return RunRecord.find(Workspace.open(workspace), run_name)


def _live(state: dict[str, Any]) -> dict[str, Any]:
    """A run that says it is running, but whose process is gone, was killed."""
    from vlmhb.store.locks import process_start

    if state.get("status") == "running" and process_start(int(state["pid"])) is None:
        return {**state, "status": "killed (the same vlmhb run command continues)"}
    return state
