"""`vlmhb run`, `plan` and `resume`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vlmhb.cli.options import (
    DEFAULT_WORKSPACE,
    CardsOption,
    Config,
    EngineOption,
    RunName,
    VlmBaseOption,
    WorkspaceOption,
)

if TYPE_CHECKING:
    from vlmhb.application import Prepared, Request, Result
    from vlmhb.console import Console
    from vlmhb.errors import VlmhbError

KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Run the valid rows although others are wrong.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Only the first N samples of each benchmark.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Models that infer at the same time.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object as the last line on stdout.")]


def run(
    config: Config,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    engine: EngineOption = None,
    keep_going: KeepGoing = False,
    limit: Limit = None,
    jobs: Jobs = 1,
    cards: CardsOption = None,
    vlm_base: VlmBaseOption = None,
    as_json: AsJson = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would run, as `plan` does.")
    ] = False,
) -> None:
    """Run every evaluation of CONFIG, or what is left of it.

    Example: vlmhb run user_configs/quickstart.csv --engine docker
    """
    from vlmhb import application
    from vlmhb.console import Console

    console = Console()
    request = application.Request(
        config=config,
        workspace=workspace,
        engine=engine,
        keep_going=keep_going,
        limit=limit,
        jobs=jobs,
        cards=tuple(cards or ()),
        vlm_base=vlm_base,
        starts=not dry_run,
    )
    with _told(as_json=as_json):
        prepared = _prepare(request, console=console)
        _introduce(prepared)
        if dry_run:
            _print_plan(prepared, as_json=as_json, explain=False)
            return
        result = application.execute(prepared, console=console, command=sys.argv)
    _conclude(result)
    if as_json:
        typer.echo(json.dumps(_summary(result), ensure_ascii=False))
    raise typer.Exit(int(result.exit_code))


def plan(
    config: Config,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    engine: EngineOption = None,
    keep_going: KeepGoing = False,
    limit: Limit = None,
    cards: CardsOption = None,
    vlm_base: VlmBaseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole plan as JSON on stdout.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also show what each fingerprint is made of.")
    ] = False,
) -> None:
    """Show what `run` would do with CONFIG and why; starts nothing.

    Example: vlmhb plan user_configs/quickstart.csv --explain
    """
    from vlmhb.application import Request
    from vlmhb.console import Console

    request = Request(
        config=config,
        workspace=workspace,
        engine=engine,
        keep_going=keep_going,
        limit=limit,
        cards=tuple(cards or ()),
        vlm_base=vlm_base,
        starts=False,
    )
    with _told(as_json=as_json):
        prepared = _prepare(request, console=Console())
        _introduce(prepared)
        _print_plan(prepared, as_json=as_json, explain=explain)


def resume(run_name: RunName = None, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Continue an interrupted run.

    It repeats the very command that started the run, in the folder where that was given.

    Example: vlmhb resume quickstart-1a2b3c4d
    """
    from vlmhb.errors import ArtifactBusy, UnknownRun
    from vlmhb.runs import RunRecord
    from vlmhb.store.workspace import Workspace

    opened = Workspace.open(workspace)
    record = RunRecord.find(opened, run_name)
    state = record.state()
    if record.is_running:
        raise ArtifactBusy(
            f"{record.id} is running (pid {state['pid']} on {state['host']})", hint="vlmhb status shows it"
        )
    os.environ["VLMHB_WORKSPACE"] = str(opened.root)
    try:
        os.chdir(state["cwd"])
    except OSError as error:
        hint = f"run it again yourself: {' '.join(state['command'])}"
        raise UnknownRun(
            f"the folder where {record.id} was started is gone", where=state["cwd"], hint=hint
        ) from error
    os.execv(sys.executable, [sys.executable, "-m", "vlmhb", *state["command"][1:]])


@contextmanager
def _told(*, as_json: bool) -> Iterator[None]:
    """With `--json` what stopped everything is the last line on stdout too; the line on stderr comes from `main`."""
    from vlmhb.errors import Interrupted, VlmhbError, disk_error

    error: VlmhbError | None
    try:
        yield
        return
    except KeyboardInterrupt:
        error = Interrupted("stopped before anything was started")
    except VlmhbError as fault:
        error = fault
    except OSError as fault:
        error = disk_error(fault)
        if error is None:
            raise
    if as_json:
        nothing = {"run_id": None, "run_dir": None, "report": None, "status": "not started"}
        code = {"exit_code": int(error.exit_code), "evaluations": [], "errors": _errors([error])}
        typer.echo(json.dumps({**nothing, **code}, ensure_ascii=False))
    raise error from None


def _prepare(request: Request, *, console: Console) -> Prepared:
    from vlmhb.application import prepare
    from vlmhb.errors import ErrorList

    prepared = prepare(request, console=console)
    if prepared.errors:
        console.error(ErrorList(prepared.errors))
    for name, error in prepared.failures.items():
        console.warn(f"{name} cannot start: {error.line()}")
    return prepared


def _introduce(prepared: Prepared) -> None:
    """Where it runs, and what is not as isolated as it should be, said before anything starts."""
    words = {
        "container": "each stage in a container of its own",
        "venv": "a virtual environment per image; isolation: venv",
    }
    engine = prepared.engine
    typer.echo(f"run {prepared.run_id} · engine {engine.name} ({words[engine.isolation]})", err=True)
    _tell_networks(prepared)


def _tell_networks(prepared: Prepared) -> None:
    from vlmhb.execution.jobs import network_of

    for asked in prepared.chains:
        if asked.url is not None:
            network = network_of(asked.url, container=prepared.engine.isolation == "container")
            typer.echo(f"  {asked.evaluation.id}: network {network}", err=True)


def _conclude(result: Result) -> None:
    for outcome in result.outcomes:
        counts = outcome.counts
        seen = f"{counts['ok']}/{counts['planned']} answered" if counts else "no answers"
        typer.echo(f"{outcome.status:<11} {outcome.id}: {seen}", err=True)
        if outcome.error is not None:
            typer.echo(f"  {outcome.error.line()}", err=True)
    if result.report is not None:
        typer.echo(f"report: {os.path.relpath(result.report)}", err=True)


def _summary(result: Result) -> dict[str, Any]:
    return {
        "run_id": result.run_id,
        "run_dir": str(result.run_dir),
        "report": str(result.report) if result.report else None,
        "status": result.status,
        "exit_code": int(result.exit_code),
        "evaluations": [item.summary() for item in result.outcomes],
        "errors": _errors(result.errors),
    }


def _errors(errors: Iterable[VlmhbError]) -> list[dict[str, str]]:
    from vlmhb.errors import ErrorList

    single = chain.from_iterable(item.errors if isinstance(item, ErrorList) else (item,) for item in errors)
    return [{"code": error.code, "message": error.line()} for error in single]


def _print_plan(prepared: Prepared, *, as_json: bool, explain: bool) -> None:
    planned = prepared.plan()
    if as_json:
        value = {
            "run_id": prepared.run_id,
            "engine": prepared.engine.name,
            "evaluations": [item.model_dump(mode="json") for item in planned],
        }
        typer.echo(json.dumps(value, ensure_ascii=False))
        return
    for item in planned:
        for stage in item.stages:
            typer.echo(f"{stage.decision:<7} {stage.stage:<9} {item.id}  ({stage.reason})")
            if explain and stage.identity is not None:
                typer.echo(f"        fingerprint {stage.fingerprint}")
                for key, value in sorted(stage.identity.items()):
                    typer.echo(f"        {key}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}")
    typer.echo("run     report    when any of the above has run, or the report is not there yet")
