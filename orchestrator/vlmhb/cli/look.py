"""Looking at runs: `vlmhb status`, `logs`, `report`, and ending one: `stop`."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vlmhb.cli.options import DEFAULT_WORKSPACE, RunName, WorkspaceOption

if TYPE_CHECKING:
    from vlmhb.runs import RunRecord

KILLED = "killed"
STAGES = ("prepare", "import", "infer", "score", "evaluate")


def status(
    run_name: RunName = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False,
) -> None:
    """Show how a run stands: state, evaluations, samples done.

    Example: vlmhb status
    """
    from vlmhb.progress.recorded import latest

    record = _find(run_name, workspace)
    state = _live(record)
    if state["status"] in ("running", KILLED):
        state["progress"] = latest(record.events)
    if as_json:
        typer.echo(json.dumps(state, ensure_ascii=False))
        return
    typer.echo(f"{state['run_id']}: {state['status']} (started {state['started']}, config {state['config']})")
    for name, seen in state.get("progress", {}).items():
        typer.echo(f"  {seen['state']:<11} {seen['stage']:<9} {name}  {_samples(seen)}".rstrip())
    if state["status"] == KILLED:
        typer.echo("the same vlmhb run command continues, or: vlmhb resume", err=True)
    for item in state.get("evaluations", []):
        counts = item["counts"]
        answered = f"{counts['ok']}/{counts['planned']} answered" if counts else "no answers"
        typer.echo(f"  {item['status']:<11} {item['id']}: {answered}")
        if item["failure"]:
            typer.echo(f"    {item['failure']['message']}")


def logs(
    run_name: RunName = None,
    evaluation: Annotated[
        str | None, typer.Option("--evaluation", "-e", help="Only this evaluation.")
    ] = None,
    stage: Annotated[
        Literal["prepare", "import", "infer", "score", "evaluate"] | None,
        typer.Option("--stage", "-s", help="Only this stage."),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Print the logs of a run's containers.

    Example: vlmhb logs quickstart-1a2b3c4d --stage infer
    """
    from vlmhb.errors import UnknownRun

    record = _find(run_name, workspace)
    folders = {folder.name: folder for folder in sorted((record.folder / "evaluations").glob("*"))}
    if evaluation is not None and evaluation not in folders:
        raise UnknownRun(
            f"no evaluation {evaluation!r}", where=record.id, hint=f"there are {', '.join(folders)}"
        )
    for folder in folders.values() if evaluation is None else (folders[evaluation],):
        for name in _links(folder, stages=STAGES if stage is None else (stage,)):
            log = folder / name / "log.txt"
            if log.exists():
                typer.echo(f"--- {folder.name} {name} ({log.resolve()})")
                typer.echo(log.read_text(encoding="utf-8", errors="replace"), nl=False)
            server = _server_log(folder / name, workspace=workspace) if name == "infer" else None
            if server is not None and server.exists():
                typer.echo(f"--- {folder.name} model server ({server.resolve()})")
                typer.echo(server.read_text(encoding="utf-8", errors="replace"), nl=False)


def _links(folder: Path, *, stages: Sequence[str]) -> list[str]:
    """Names of the links to artifacts of these stages: a stage's own, or `score-<backend>`."""
    names = sorted(path.name for path in folder.iterdir())
    return [name for stage in stages for name in names if name == stage or name.startswith(f"{stage}-")]


def _server_log(artifact: Path, *, workspace: Path) -> Path | None:
    """The log of the newest server of the model that this artifact asked."""
    from vlmhb.store.files import read_json
    from vlmhb.store.workspace import Workspace

    identity = (read_json(artifact / "spec.json") or {}).get("model_identity")
    return Workspace(workspace).server_file(str(identity), suffix=".log") if identity else None


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
    """Stop a run after its requests in flight.

    The same `vlmhb run` command, or `vlmhb resume`, continues it.
    """
    record = _find(run_name, workspace)
    state = _live(record)
    if state["status"] != "running":
        typer.echo(f"{record.id} is not running ({state['status']})", err=True)
        return
    if state["host"] != socket.gethostname():
        from vlmhb.errors import UnknownRun

        raise UnknownRun(f"{record.id} runs on {state['host']}, not here", hint="stop it there")
    os.kill(int(state["pid"]), signal.SIGTERM)
    typer.echo(f"{record.id}: asked to stop", err=True)


def _find(run_name: str | None, workspace: Path) -> RunRecord:
    from vlmhb.runs import RunRecord
    from vlmhb.store.workspace import Workspace

    return RunRecord.find(Workspace(workspace.absolute()), run_name)  # looking creates no folder


def _live(record: RunRecord) -> dict[str, Any]:
    """A run that says it is running, but whose process is gone, was killed."""
    state = record.state()
    if state.get("status") == "running" and not record.is_running:
        return {**state, "status": KILLED}
    return state


def _samples(seen: dict[str, Any]) -> str:
    return f"{seen['done']}/{seen['total']}, {seen['error']} failed" if seen.get("total") else ""
