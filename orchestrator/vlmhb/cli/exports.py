"""`vlmhb export`: the results of a run for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vlmhb.cli.options import DEFAULT_WORKSPACE, WorkspaceOption

Format = Literal[
    "upstream", "vlmevalkit", "lmms-eval", "inspect", "model-index", "leaderboard", "csv", "jsonl"
]


def export(
    run_name: Annotated[str, typer.Argument(metavar="RUN_ID", show_default=False)],
    evaluation: Annotated[
        str | None, typer.Argument(metavar="EVALUATION", help="All if left out.", show_default=False)
    ] = None,
    format_: Annotated[Format, typer.Option("--format", "-f", help="Whose format.")] = "jsonl",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder that the files go to.")] = Path("export"),
    with_references: Annotated[
        bool,
        typer.Option("--with-references", help="Also the reference answers, where the format has a place."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Write the answers and scores of a run in another tool's format. Prints the files on stdout.

    Example: vlmhb export quickstart-1a2b3c4d --format lmms-eval -o exported
    """
    from vlmhb.console import Console
    from vlmhb.exporting import export as make
    from vlmhb.exporting import find_evaluated, write
    from vlmhb.store.workspace import Workspace

    console = Console()
    found = find_evaluated(
        Workspace.open(workspace), run=run_name, evaluation=evaluation, references=with_references
    )
    made = make(format_, found, references=with_references)
    for path in write(made, out, force=force):
        console.data(str(path))
    for note in made.notes:
        console.warn(note)
