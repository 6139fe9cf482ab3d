"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Config = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="Run config: CSV, JSON or YAML.", show_default=False)
]
WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", envvar="VLMHB_WORKSPACE", help="Folder of artifacts and runs.")
]
EngineOption = Annotated[
    Literal["auto", "docker", "podman", "process"] | None,
    typer.Option(
        "--engine", envvar="VLMHB_ENGINE", help="auto, docker, podman or process (a venv per image)."
    ),
]
CardsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--cards",
        metavar="FOLDER",
        envvar="VLMHB_CARDS",
        help="Folder with cards of your own; may be repeated.",
    ),
]
VlmBaseOption = Annotated[
    Path | None, typer.Option("--vlm-base", help="The prototype's model database (vlm_base.csv).")
]
RunName = Annotated[
    str | None, typer.Argument(metavar="RUN_ID", help="The newest run if left out.", show_default=False)
]

DEFAULT_WORKSPACE = Path("workspace")
