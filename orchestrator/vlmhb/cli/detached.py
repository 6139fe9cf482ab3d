"""`vlmhb run --detach`: the run goes on without this terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vlmhb.runs import RunRecord

OUTPUT = "console.log"  # in the run's folder
_POLL_S = 0.1


def detach(record: RunRecord, *, argv: Sequence[str]) -> None:
    """Starts the same command in a session of its own and returns once its run has begun.

    One that ends before that is shown, and its exit code is ours. Raises `ArtifactBusy` when it runs already."""
    from vlmhb.command import spawn
    from vlmhb.errors import ArtifactBusy

    if record.is_running:
        hint = f"vlmhb attach {record.id} shows it"
        raise ArtifactBusy(f"{record.id} is running", where=str(record.folder), hint=hint)
    output = record.folder / OUTPUT
    output.unlink(missing_ok=True)
    again = [word for word in argv[1:] if word != "--detach"]
    child = spawn([sys.executable, "-m", "vlmhb", *again], log=output)
    while record.state().get("pid") != child.pid:
        if child.poll() is not None:
            typer.echo(output.read_text(encoding="utf-8", errors="replace"), err=True, nl=False)
            raise typer.Exit(child.returncode)
        time.sleep(_POLL_S)
    typer.echo(f"{record.id} runs on its own (pid {child.pid})", err=True)
    typer.echo(f"  look at it: vlmhb attach {record.id}", err=True)
    typer.echo(f"  its output: {output}", err=True)
    typer.echo(f"  end it:     vlmhb stop {record.id}", err=True)
