"""`vlmhb prompts show` and `list`: what a sample would be sent, and which prompts there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vlmhb.cli.options import (
    DEFAULT_WORKSPACE,
    CardsOption,
    Config,
    EngineOption,
    Limit,
    VlmBaseOption,
    WorkspaceOption,
)
from vlmhb.cli.showing import AsJson, show_rows

prompts = typer.Typer(
    help="What a model is asked: one sample as it is sent, and the prompt files that there are.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
COLUMNS = ("name", "kind", "column", "holds", "path")


@prompts.command("show")
def show(
    config: Config,
    sample: Annotated[
        str, typer.Option("--sample", "-s", metavar="N|ID", help="A sample's id, or its number from 1.")
    ] = "1",
    evaluation: Annotated[
        str | None, typer.Option("--evaluation", "-e", metavar="ID", help="The first one if left out.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    engine: EngineOption = None,
    limit: Limit = None,
    cards: CardsOption = None,
    vlm_base: VlmBaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what one sample would be sent: messages, images, decoding, schema. No model is asked, no label is shown.

    The samples are prepared as a run would do it, where that has not been done yet.

    Example: vlmhb prompts show user_configs/examples/prompts.yaml --sample 2

    Example: vlmhb prompts show my.csv --evaluation docvqa-my-model --sample 49153 --json
    """
    from vlmhb.console import Console, printable
    from vlmhb.prompt_view import view_prompt
    from vlmhb.request import Request

    request = Request(
        config=config,
        workspace=workspace,
        engine=engine,
        limit=limit,
        cards=tuple(cards or ()),
        vlm_base=vlm_base,
        starts=False,
    )
    view = view_prompt(request, sample=sample, evaluation=evaluation, console=Console())
    if as_json:
        typer.echo(json.dumps(view.as_json(), ensure_ascii=False))
        return
    for line in view.as_lines():
        typer.echo(printable(line))


@prompts.command("list")
def list_(
    config: Annotated[
        Path | None,
        typer.Argument(metavar="[CONFIG]", help="Look around this run config too.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the prompt files that a row can name: collections, prompt configs, system prompts.

    Example: vlmhb prompts list my.csv
    """
    from vlmhb.config.resolve import Roots
    from vlmhb.prompt_list import find_prompt_files

    roots = Roots.around(config if config is not None else Path.cwd() / "config.csv")
    found = find_prompt_files(roots)
    rows = [(item.name, item.kind, item.column, item.holds, item.path) for item in found]
    show_rows(rows, headers=COLUMNS, values=[item.as_json() for item in found], as_json=as_json)
