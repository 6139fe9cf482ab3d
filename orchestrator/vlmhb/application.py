"""What the commands `run`, `plan` and `rescore` do: look everything up, plan, carry out, report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from vlmhb import secrets
from vlmhb.console import Console
from vlmhb.contracts import ResolvedEvaluation, RunConfig
from vlmhb.engines.base import Engine
from vlmhb.engines.detect import detect_engine
from vlmhb.engines.users import task_user
from vlmhb.errors import ArtifactEdited, ExitCode, Interrupted, VlmhbError
from vlmhb.execution.faults import shown
from vlmhb.execution.jobs import Chain
from vlmhb.execution.money import money_of_run, webhook_of
from vlmhb.execution.session import LABEL, Session, StopSignal, stop_on_signals
from vlmhb.facts import FactFinder, gather, server_image
from vlmhb.kit import Kit
from vlmhb.outcomes import Outcome, exit_code_of
from vlmhb.plan.fallbacks import secret_references
from vlmhb.plan.model import Facts, PlannedEvaluation
from vlmhb.plan.planner import plan_evaluation, plan_scoring
from vlmhb.pricing.table import PriceTable
from vlmhb.progress import RecordedProgress, make_progress
from vlmhb.reported_costs import money_state
from vlmhb.reporting import make_report
from vlmhb.request import Request, needed_images, raise_all, resolve_request
from vlmhb.resources.need import need_of
from vlmhb.resources.pool import GpuPool
from vlmhb.runner import Runner
from vlmhb.runs import RunRecord, run_id_of
from vlmhb.schedulers.local import LocalScheduler
from vlmhb.store.manifest import Manifest
from vlmhb.store.responses import ResponseCache
from vlmhb.store.view import WorkspaceView
from vlmhb.store.workspace import Workspace

__all__ = ["Prepared", "Request", "Result", "execute", "needed_images", "prepare"]

STATUS = {
    ExitCode.OK: "done",
    ExitCode.BAD_CONFIG: "not started",
    ExitCode.CANNOT_START: "not started",
    ExitCode.FAILURES: "finished with failures",
    ExitCode.BUDGET: "stopped by budget",
    ExitCode.CONTRACT: "finished with failures",
    ExitCode.INTERRUPTED: "interrupted",
}


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Everything looked up; `errors` are those of rows that `--keep-going` left out."""

    run_id: str
    workspace: Workspace
    engine: Engine
    kit: Kit
    config: RunConfig
    evaluations: tuple[ResolvedEvaluation, ...]
    facts: Mapping[str, Facts]
    failures: Mapping[str, VlmhbError]
    errors: tuple[VlmhbError, ...]
    view: WorkspaceView
    jobs: int | None = None
    gpus: GpuPool = field(default_factory=GpuPool)
    sample_hz: float = 2.0
    cards: tuple[Path, ...] = ()
    prices: PriceTable | None = None
    sealed: Mapping[str, Mapping[str, Manifest]] | None = None  # of a rescore: `prepare` and `infer` by id

    @property
    def chains(self) -> list[Chain]:
        return [
            Chain(evaluation=item, facts=self.facts[item.id])
            for item in self.evaluations
            if item.id in self.facts
        ]

    def plan(self) -> list[PlannedEvaluation]:
        """Raises `ArtifactEdited`."""
        return [self._plan(chain) for chain in self.chains]

    def plan_of_whole(self) -> list[PlannedEvaluation]:
        """The plan without evaluations whose artifacts were edited by hand: those fail when their turn comes."""
        planned = []
        for chain in self.chains:
            with suppress(ArtifactEdited):
                planned.append(self._plan(chain))
        return planned

    def _plan(self, chain: Chain) -> PlannedEvaluation:
        evaluation, facts = chain.evaluation, chain.facts
        if self.sealed is None:
            return plan_evaluation(evaluation, facts, self.view)
        made = self.sealed[evaluation.id]
        stages = plan_scoring(evaluation, facts, self.view, prepared=made["prepare"], inferred=made["infer"])
        return PlannedEvaluation(id=evaluation.id, stages=tuple(stages))


@dataclass(kw_only=True)
class Result:
    """`errors` are those of no one evaluation: rows left out, a report that failed."""

    run_id: str
    run_dir: Path
    report: Path | None
    exit_code: ExitCode
    outcomes: list[Outcome] = field(default_factory=list)
    errors: list[VlmhbError] = field(default_factory=list)

    @property
    def status(self) -> str:
        return STATUS[self.exit_code]


def prepare(request: Request, *, console: Console) -> Prepared:
    """Raises every error at once, before anything starts; with `keep_going` only when nothing is left to do."""
    asked = resolve_request(request)
    for warning in dict.fromkeys(
        (
            *asked.config.warnings,
            *asked.warnings,
            *(text for item in asked.evaluations for text in item.warnings),
        )
    ):
        console.warn(warning)
    workspace = Workspace.open(request.workspace)  # a config with mistakes leaves nothing behind
    engine = detect_engine(request.engine or asked.config.engine or "auto")
    kit = Kit.collect()
    failures: dict[str, VlmhbError] = {}
    finder = FactFinder(
        workspace=workspace, engine=engine, kit=kit, registry=asked.registry, warn=console.warn
    )
    facts = dict(gather(asked.evaluations, finder=finder, failed=failures.__setitem__))
    gpus = GpuPool()
    for evaluation in asked.evaluations if request.starts else ():
        try:
            _check_start(evaluation, gpus=gpus)
        except VlmhbError as error:
            failures[evaluation.id] = error
            facts.pop(evaluation.id, None)
    if not request.starts:
        for line in gpu_warnings(asked.evaluations, gpus=gpus):
            console.warn(line)
    if request.starts:
        webhook_of(asked.config.alerts, env=os.environ)
    if failures and (not request.keep_going or not facts):
        unique = {error.line(): error for error in failures.values()}
        raise_all(list(unique.values()))
    overrides = {"limit": request.limit} if request.limit else {}
    return Prepared(
        run_id=run_id_of(asked.config, engine=engine.name, overrides=overrides),
        workspace=workspace,
        engine=engine,
        kit=kit,
        config=asked.config,
        evaluations=asked.evaluations,
        facts=facts,
        failures=failures,
        errors=asked.errors,
        view=WorkspaceView(workspace),
        jobs=request.jobs,
        gpus=gpus,
        sample_hz=request.sample_hz,
        cards=asked.cards,
        prices=asked.prices,
    )


def _check_start(evaluation: ResolvedEvaluation, *, gpus: GpuPool) -> None:
    """A key or GPU that is not there is told before anything starts, not when its row's turn comes."""
    for reference in secret_references(evaluation).values():
        secrets.lookup(reference, env=os.environ, home=Path.home())
    if server_image(evaluation) is not None:
        gpus.check(need_of(evaluation))


def gpu_warnings(evaluations: Iterable[ResolvedEvaluation], *, gpus: GpuPool) -> list[str]:
    """What a run on this machine would be refused for. A plan may be made for another one, so it is no error there."""
    told: dict[str, None] = {}
    for evaluation in evaluations:
        try:
            if server_image(evaluation) is not None:
                gpus.check(need_of(evaluation))
        except VlmhbError as error:
            told.setdefault(f"this machine cannot run it: {error.line()}")
    return list(told)


def _sweep(prepared: Prepared) -> None:
    """Containers of killed runs hold memory and GPUs until somebody removes them: any later run does."""
    for record in RunRecord.all(prepared.workspace):
        owner = record.dead_owner(engine=prepared.engine.name)
        if owner is not None:
            labels = {f"{LABEL}.workspace": prepared.workspace.id, f"{LABEL}.owner": owner}
            prepared.engine.cleanup(labels=labels)
            record.mark_swept()


def execute(prepared: Prepared, *, console: Console, command: Sequence[str]) -> Result:
    """Run it all; every failure is in the outcomes, in the report and in the exit code."""
    record = RunRecord(prepared.workspace, prepared.run_id)
    outcomes = {item.id: Outcome(id=item.id) for item in prepared.evaluations}
    for name, error in prepared.failures.items():
        outcomes[name].fail(error, stage="start")
    _sweep(prepared)
    record.begin(
        prepared.config,
        plan=prepared.plan_of_whole(),
        engine=prepared.engine.name,
        command=command,
        evaluations=prepared.evaluations,
        cards=prepared.cards,
    )
    stop = StopSignal()
    live = RecordedProgress(make_progress(console=console), path=record.events, pid=os.getpid())
    with live as progress, stop_on_signals(stop):
        session = Session(
            run_id=prepared.run_id,
            workspace=prepared.workspace,
            view=prepared.view,
            engine=prepared.engine,
            scheduler=LocalScheduler(),
            kit_path=prepared.kit.write(prepared.workspace.root / "cache" / "kits"),
            user=task_user(),
            progress=progress,
            stop=stop,
            responses=ResponseCache.of(prepared.workspace.root, env=os.environ),
            gpus=prepared.gpus,
            sample_hz=prepared.sample_hz,
        )
        with money_of_run(
            session,
            prices=prepared.prices,
            budgets=prepared.config.budget,
            alerts=prepared.config.alerts,
            parallel=prepared.jobs != 1 and len(prepared.chains) > 1,
            env=os.environ,
        ) as money:
            runner = Runner(session, prepared.chains, jobs=prepared.jobs, money=money)
            if prepared.sealed is None:
                runner.run()
            else:
                runner.rescore(prepared.sealed)
        outcomes.update(runner.outcomes)
        ended = [outcomes[item.id] for item in prepared.evaluations]
        faults = [*runner.faults]
        report = _report(session, record, prepared=prepared, outcomes=ended, failed=faults.append)
        result = Result(
            run_id=record.id,
            run_dir=record.folder,
            report=report,
            exit_code=exit_code_of(ended, others=[*prepared.errors, *faults]),
            outcomes=ended,
            errors=[*prepared.errors, *faults],
        )
        record.end(ended, status=result.status, exit_code=int(result.exit_code))
    for fault in faults:
        console.error(fault)
    return result


def _report(
    session: Session,
    record: RunRecord,
    *,
    prepared: Prepared,
    outcomes: Sequence[Outcome],
    failed: Callable[[VlmhbError], None],
) -> Path | None:
    try:
        if session.stop.draining:
            raise Interrupted("report not made", hint="the same command continues")
        money = money_state(
            prepared.workspace,
            record.id,
            currency=prepared.prices.currency if prepared.prices else None,
            budgets=prepared.config.budget,
        )
        make_report(
            session, record, prepared.evaluations, facts=prepared.facts, outcomes=outcomes, money=money
        )
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the report, the results are told
        failed(shown(error, crash_log=record.crash_log))
        return None
    return record.report_dir / "report.html"
