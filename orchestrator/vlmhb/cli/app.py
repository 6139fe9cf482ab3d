"""All commands in one place."""

from __future__ import annotations

from typing import Annotated

import typer

from vlmhb import __version__
from vlmhb.cli import (
    benchmarks,
    catalogue,
    doctor,
    exports,
    following,
    images,
    imports,
    logs,
    look,
    metrics,
    prompts,
    rescore,
    run,
)

HELP = "Compare vision-language models on documents. Start with: vlmhb run user_configs/quickstart.csv"

app = typer.Typer(
    name="vlmhb",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vlmhb {__version__}")
        raise typer.Exit


@app.callback(help=HELP)
def program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    """Options of the program itself."""


app.command("run")(run.run)
app.command("import")(imports.import_)
app.command("export")(exports.export)
app.command("plan")(run.plan)
app.command("resume")(run.resume)
app.command("rescore")(rescore.rescore)
app.command("status")(look.status)
app.command("attach")(following.attach)
app.command("logs")(logs.logs)
app.command("report")(look.report)
app.command("stop")(look.stop)
app.command("doctor")(doctor.doctor)
app.command("schema")(catalogue.schema)
app.add_typer(catalogue.models, name="models")
catalogue.benchmarks.command("check")(benchmarks.check)
catalogue.benchmarks.command("fetch")(benchmarks.fetch)
app.add_typer(catalogue.benchmarks, name="benchmarks")
app.add_typer(benchmarks.init, name="init")
app.add_typer(metrics.metrics, name="metrics")
app.add_typer(prompts.prompts, name="prompts")
app.add_typer(images.images, name="images")
