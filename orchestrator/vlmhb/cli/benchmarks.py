"""`vlmhb benchmarks check` and `fetch`, and `vlmhb init benchmark`: for those who bring a benchmark of their own."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vlmhb.cli.options import DEFAULT_WORKSPACE, CardsOption, EngineOption, WorkspaceOption
from vlmhb.cli.showing import Name

if TYPE_CHECKING:
    from vlmhb.benchmark_check import Checked
    from vlmhb.fetching import Fetched

init = typer.Typer(help="Write filled examples to start from.", no_args_is_help=True, rich_markup_mode=None)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object as the last line on stdout.")]
Task = Annotated[str | None, typer.Option("--task", help="Task of data without a card: OCR, VQA, KIE ...")]


def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="PATH|NAME",
            help="A card's name, a card file, a folder with a card in it, or data without a card.",
            show_default=False,
        ),
    ],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="PATH", help="The data, in place of the card's.")
    ] = None,
    task: Task = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first N samples; ids are checked in all.")
    ] = None,
    cards: CardsOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    engine: EngineOption = None,
    as_json: AsJson = False,
) -> None:
    """Prepare a benchmark as a run would: counts, problems with file and row, and three samples as they are sent.

    Ends with 0 when every sample can be used, 4 when some cannot, 2 when the card or the data are wrong.

    Example: vlmhb benchmarks check my_benchmark/ --limit 100
    """
    from vlmhb.benchmark_check import Check
    from vlmhb.benchmark_check import check as run_check
    from vlmhb.console import Console
    from vlmhb.errors import ExitCode

    console = Console()
    asked = Check(
        target=target,
        workspace=workspace,
        engine=engine,
        cards=tuple(cards or ()),
        data=data,
        task=task,
        limit=limit,
    )
    with _told(as_json=as_json):
        checked = run_check(asked, console=console)
    findings = checked.findings
    code = ExitCode.OK if findings.usable == findings.samples else ExitCode.FAILURES
    _show_check(checked, code=int(code), as_json=as_json)
    raise typer.Exit(int(code))


def _show_check(checked: Checked, *, code: int, as_json: bool) -> None:
    from vlmhb.benchmark_findings import as_lines
    from vlmhb.console import printable

    card = checked.benchmark
    if as_json:
        about = {"benchmark": card.name, "task_type": card.task_type, "loader": card.loader}
        places = {"path": str(checked.path), "artifact": str(checked.artifact)}
        value = {**about, **places, **checked.findings.as_json(), "exit_code": code}
        typer.echo(json.dumps(value, ensure_ascii=False))
        return
    typer.echo(f"benchmark {card.name}: {card.task_type}, loader {card.loader}, {checked.path}")
    for line in as_lines(checked.findings):
        typer.echo(printable(line))


def fetch(
    name: Name,
    task: Annotated[
        str | None, typer.Option("--task", help="Where several benchmarks have the name.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token", metavar="secret:NAME", help="For data that need an account, e.g. secret:HF_TOKEN."
        ),
    ] = None,
    update: Annotated[
        bool,
        typer.Option(
            "--update", help="Take what the card's branch is now, not the commit of the last fetch."
        ),
    ] = False,
    cards: CardsOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Download a benchmark's files from the Hugging Face hub into WORKSPACE/datasets, as its card pins them.

    This command is the only one that downloads data; a run never does. Interrupted, it goes on where it was.
    HF_ENDPOINT names another server, e.g. a mirror.

    Example: vlmhb benchmarks fetch docvqa --workspace workspace
    """
    from vlmhb.cli.showing import registry_of
    from vlmhb.console import Console
    from vlmhb.fetching import Fetch
    from vlmhb.fetching import fetch as run_fetch

    console = Console()
    with _told(as_json=as_json):
        card = registry_of(cards).find_benchmark(name, task)
        asked = Fetch(card=card, workspace=workspace, token=token, update=update)
        done = run_fetch(asked, env=os.environ, home=Path.home(), say=console.say)
    _show_fetched(done, as_json=as_json)


def _show_fetched(done: Fetched, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(done.as_json(), ensure_ascii=False))
        return
    typer.echo(f"{len(done.files)} files, {done.size} bytes, in {done.folder}")
    typer.echo(f"revision {done.revision}; {done.loaded} files downloaded now, the others were here")


@init.command("benchmark")
def init_benchmark(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="A folder that is new or empty.")] = Path(
        "my_benchmark"
    ),
) -> None:
    """Write a small benchmark that runs: a card with every field explained, samples, two pages, a run config.

    Example: vlmhb init benchmark invoices && vlmhb run invoices/run.csv
    """
    from vlmhb.scaffold import write_benchmark

    for path in write_benchmark(folder):
        typer.echo(str(path))
    check, run = shlex.quote(str(folder)), shlex.quote(str(folder / "run.csv"))
    typer.echo(f"next: vlmhb benchmarks check {check}, then vlmhb run {run}", err=True)


@contextmanager
def _told(*, as_json: bool) -> Iterator[None]:
    """With `--json` the error is the last line on stdout too; the line on stderr comes from `main`."""
    from vlmhb.errors import ErrorList, Interrupted, VlmhbError

    try:
        yield
        return
    except KeyboardInterrupt:
        error: VlmhbError = Interrupted("stopped", hint="the same command goes on from there")
    except VlmhbError as fault:
        error = fault
    if as_json:
        single = error.errors if isinstance(error, ErrorList) else (error,)
        errors = [{"code": item.code, "message": item.line()} for item in single]
        value: dict[str, Any] = {"errors": errors, "exit_code": int(error.exit_code)}
        typer.echo(json.dumps(value, ensure_ascii=False))
    raise error from None
