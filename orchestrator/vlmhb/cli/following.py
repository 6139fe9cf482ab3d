"""Following a run from another shell: `vlmhb attach` and `status --watch`, from the run's recorded events."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from vlmhb.cli.options import DEFAULT_WORKSPACE, RunName, WorkspaceOption

if TYPE_CHECKING:
    from vlmhb.runs import RunRecord

KILLED = "killed"
POLL_S = 0.3


def attach(run_name: RunName = None, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Follow a run as if it had been started here, and end with its exit code.

    Ctrl-C leaves it running; `vlmhb stop` ends it.

    Example: vlmhb attach quickstart-1a2b3c4d
    """
    from vlmhb.errors import ExitCode

    record = find_run(run_name, workspace)
    follow(record)
    state = live_state(record)
    typer.echo(f"{record.id}: {state['status']}", err=True)
    if state["status"] == KILLED:
        typer.echo("the same vlmhb run command continues, or: vlmhb resume", err=True)
    raise typer.Exit(int(state.get("exit_code") or 0) if state["status"] != KILLED else ExitCode.INTERRUPTED)


def follow(record: RunRecord) -> None:
    """Shows what the run records until it ends or is killed; Ctrl-C ends the looking only."""
    from vlmhb.console import Console
    from vlmhb.progress import EventTail, make_progress
    from vlmhb.progress.recorded import of_last_run, replay

    tail = EventTail(record.events)
    try:
        with make_progress(console=Console()) as view:
            replay(of_last_run(tail.read()), view=view)
            while True:
                ended = not record.is_running  # asked first: what was written before is then read below
                replay(tail.read(), view=view)
                if ended:
                    return
                time.sleep(POLL_S)
    except KeyboardInterrupt:
        typer.echo(f"{record.id} goes on: vlmhb attach {record.id}", err=True)
        raise typer.Exit(0) from None


def find_run(run_name: str | None, workspace: Path) -> RunRecord:
    """The run of that name, else the newest. Raises `UnknownRun`."""
    from vlmhb.runs import RunRecord
    from vlmhb.store.workspace import Workspace

    return RunRecord.find(Workspace(workspace.absolute()), run_name)  # looking creates no folder


def live_state(record: RunRecord) -> dict[str, Any]:
    """A run that says it is running, but whose process is gone, was killed."""
    state = record.state()
    if state.get("status") == "running" and not record.is_running:
        return {**state, "status": KILLED}
    return state
