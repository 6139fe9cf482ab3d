"""All commands in one place."""

from __future__ import annotations

import typer

from vlmhb.cli import catalogue, doctor, images, look, run

app = typer.Typer(
    name="vlmhb",
    help="Compare vision-language models on documents. Start with: vlmhb run user_configs/quickstart.csv",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.command("run")(run.run)
app.command("plan")(run.plan)
app.command("resume")(run.resume)
app.command("status")(look.status)
app.command("logs")(look.logs)
app.command("report")(look.report)
app.command("stop")(look.stop)
app.command("doctor")(doctor.doctor)
app.command("schema")(catalogue.schema)
app.add_typer(catalogue.models, name="models")
app.add_typer(catalogue.benchmarks, name="benchmarks")
app.add_typer(catalogue.metrics, name="metrics")
app.add_typer(images.images, name="images")
