"""`vlmhb rescore`: evaluate the answers of a run again, by other metrics or rules, without any model."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vlmhb.cli.ending import conclude, introduce, told
from vlmhb.cli.options import DEFAULT_WORKSPACE, CardsOption, EngineOption, WorkspaceOption


def rescore(
    run_name: Annotated[
        str, typer.Argument(metavar="RUN_ID", help="The run whose answers are scored.", show_default=False)
    ],
    metrics: Annotated[
        str | None,
        typer.Option("--metrics", "-m", help="Names with commas between them; those of the run if left out."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="default, or upstream-0.1 for the prototype's numbers.")
    ] = None,
    extraction: Annotated[
        str | None,
        typer.Option(
            "--extraction", help="Rule that takes the answer out of a reply: vlmhb metrics extractions."
        ),
    ] = None,
    cards: CardsOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    engine: EngineOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object as the last line on stdout.")
    ] = False,
) -> None:
    """Score the sealed answers of a run anew: no model, no dataset folder, no network.

    The result is a run of its own with its own report. Samples that failed stay failed.

    Example: vlmhb rescore quickstart-1a2b3c4d --metrics cer_norm,wer_norm
    """
    from vlmhb import application, rescoring
    from vlmhb.console import Console

    console = Console()
    with told(as_json=as_json):
        request = rescoring.Rescore(
            run=run_name,
            workspace=workspace,
            metrics=_names(metrics),
            profile=_profile(profile),
            extraction=extraction,
            engine=engine,
            cards=tuple(cards or ()),
        )
        prepared = rescoring.prepare(request, console=console)
        for name, error in prepared.failures.items():
            console.warn(f"{name} cannot be scored: {error.line()}")
        introduce(prepared)
        result = application.execute(prepared, console=console, command=sys.argv)
    conclude(result, as_json=as_json)


def _names(text: str | None) -> tuple[str, ...] | None:
    from vlmhb.config.cells import parse_list
    from vlmhb.contracts import Place
    from vlmhb.errors import BadList

    if text is None:
        return None
    place = Place(file="the option --metrics")
    names = parse_list(text, place=place)
    if not names:
        raise BadList("no metric is named", where=str(place), hint="vlmhb metrics list shows all")
    return names


def _profile(text: str | None) -> str | None:
    from vlmhb.config.rows import PROFILES
    from vlmhb.errors import BadValue
    from vlmhb.reading.names import name_hint, shown

    if text is not None and text not in PROFILES:
        where = "the option --profile"
        raise BadValue(f"{shown(text)} is not known", where=where, hint=name_hint(text, PROFILES))
    return text
