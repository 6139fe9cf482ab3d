"""`vlmhb run`, `plan` and `resume`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from vlmhb.cli.ending import conclude, introduce, print_plan, tell_costs, told
from vlmhb.cli.options import DEFAULT_WORKSPACE, RunName, RunOptions, WorkspaceOption, with_run_options

if TYPE_CHECKING:
    from vlmhb.application import Prepared, Request
    from vlmhb.console import Console

Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        envvar="VLMHB_JOBS",
        help="Models that infer at the same time; by default one on each GPU, and one that needs none.",
    ),
]
SampleHz = Annotated[
    float,
    typer.Option(
        "--sample-hz",
        min=0,
        max=10,
        envvar="VLMHB_SAMPLE_HZ",
        help="How often a second the use of GPUs, CPU, memory and disk is noted; 0 = never.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object as the last line on stdout.")]


@with_run_options
def run(
    options: RunOptions,
    jobs: Jobs = None,
    sample_hz: SampleHz = 2.0,
    as_json: AsJson = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would run, as `plan` does.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Go on without this terminal; see `attach`, `status`, `stop`.")
    ] = False,
) -> None:
    """Run every evaluation of CONFIG, or what is left of it.

    Example: vlmhb run user_configs/quickstart.csv --engine docker
    """
    from vlmhb import application
    from vlmhb.cli.detached import detach as start_detached
    from vlmhb.console import Console
    from vlmhb.runs import RunRecord

    console = Console()
    with told(as_json=as_json):
        prepared = _prepare(
            _request(options, jobs=jobs, sample_hz=sample_hz, starts=not dry_run), console=console
        )
        introduce(prepared)
        if dry_run:
            print_plan(prepared, as_json=as_json, explain=False)
            return
        if detach:
            start_detached(RunRecord(prepared.workspace, prepared.run_id), argv=sys.argv)
            return
        tell_costs(prepared)
        result = application.execute(prepared, console=console, command=sys.argv)
    conclude(result, as_json=as_json)


@with_run_options
def plan(
    options: RunOptions,
    as_json: Annotated[bool, typer.Option("--json", help="The whole plan as JSON on stdout.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also show what each fingerprint is made of.")
    ] = False,
) -> None:
    """Show what `run` would do with CONFIG and why; starts nothing.

    Example: vlmhb plan user_configs/quickstart.csv --explain
    """
    from vlmhb.console import Console

    with told(as_json=as_json):
        prepared = _prepare(_request(options, starts=False), console=Console())
        introduce(prepared)
        print_plan(prepared, as_json=as_json, explain=explain)


def _request(
    options: RunOptions, *, starts: bool, jobs: int | None = None, sample_hz: float = 2.0
) -> Request:
    from vlmhb.application import Request
    from vlmhb.pricing.asked import MoneyOptions

    return Request(
        config=options.config,
        workspace=options.workspace,
        engine=options.engine,
        keep_going=options.keep_going,
        limit=options.limit,
        jobs=jobs,
        sample_hz=sample_hz,
        cards=tuple(options.cards or ()),
        vlm_base=options.vlm_base,
        starts=starts,
        money=MoneyOptions(prices=options.prices, budget=options.budget, budget_day=options.budget_day),
    )


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
    try:
        os.chdir(state["cwd"])
    except OSError as error:
        hint = f"run it again yourself: {' '.join(state['command'])}"
        raise UnknownRun(
            f"the folder where {record.id} was started is gone", where=state["cwd"], hint=hint
        ) from error
    environment = {**os.environ, "VLMHB_WORKSPACE": str(opened.root)}
    os.execve(sys.executable, [sys.executable, "-m", "vlmhb", *state["command"][1:]], environment)


def _prepare(request: Request, *, console: Console) -> Prepared:
    from vlmhb.application import prepare
    from vlmhb.errors import ErrorList

    prepared = prepare(request, console=console)
    if prepared.errors:
        console.error(ErrorList(prepared.errors))
    for name, error in prepared.failures.items():
        console.warn(f"{name} cannot start: {error.line()}")
    return prepared
