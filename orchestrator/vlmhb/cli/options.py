"""Options that several commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

Config = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="Run config: CSV, JSON or YAML.", show_default=False)
]
WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", envvar="VLMHB_WORKSPACE", help="Folder of artifacts and runs.")
]
EngineOption = Annotated[
    Literal["auto", "docker", "podman", "apptainer", "process"] | None,
    typer.Option(
        "--engine",
        envvar="VLMHB_ENGINE",
        help="auto, docker, podman, apptainer or process (a venv per image).",
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

PricesOption = Annotated[
    str | None,
    typer.Option(
        "--prices",
        metavar="TABLE",
        envvar="VLMHB_PRICES",
        help="Price table: a file, or a name in WORKSPACE/prices.",
    ),
]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="AMOUNT",
        envvar="VLMHB_BUDGET",
        help="Most that this run may cost: 5, or 5 USD. Goes on after it was raised.",
    ),
]
BudgetDayOption = Annotated[
    str | None,
    typer.Option(
        "--budget-day",
        metavar="AMOUNT",
        envvar="VLMHB_BUDGET_DAY",
        help="Most that all runs of the workspace may cost in one day.",
    ),
]

DEFAULT_WORKSPACE = Path("workspace")

KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Run the valid rows although others are wrong.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Only the first N samples of each benchmark.")
]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of `run` and `plan`: what is asked for."""

    config: Config
    workspace: WorkspaceOption = DEFAULT_WORKSPACE
    engine: EngineOption = None
    keep_going: KeepGoing = False
    limit: Limit = None
    cards: CardsOption = None
    vlm_base: VlmBaseOption = None
    prices: PricesOption = None
    budget: BudgetOption = None
    budget_day: BudgetDayOption = None


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose first argument becomes the options of `RunOptions`, as Typer reads them."""
    hints = get_type_hints(RunOptions, include_extras=True)
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    @wraps(command)
    def called(**given: Any) -> None:
        asked = {field.name: given.pop(field.name) for field in fields(RunOptions)}
        command(RunOptions(**asked), **given)

    shared = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.name == "config" else field.default,
            annotation=hints[field.name],
        )
        for field in fields(RunOptions)
    ]
    keyword = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in own]
    signature = inspect.Signature([*shared, *keyword])
    called.__signature__ = signature  # type: ignore[attr-defined]  # what inspect reads; no stub knows it
    called.__annotations__ = {name: item.annotation for name, item in signature.parameters.items()}
    return called
