"""Carries out a run: prepare everything, infer model by model, evaluate as answers come in, report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vlmhb_stages.contracts import InferSummary

from vlmhb import secrets
from vlmhb.errors import Interrupted, VlmhbError
from vlmhb.execution.changes import with_changed_rows
from vlmhb.execution.faults import shown
from vlmhb.execution.jobs import Answered, Chain, evaluate_job, infer_job, prepare_job, score_job
from vlmhb.execution.money import Money
from vlmhb.execution.paying import over_budget
from vlmhb.execution.schedule import Group, groups_of, lanes
from vlmhb.execution.server_config import request_of
from vlmhb.execution.servers import ServerGroup, model_server
from vlmhb.execution.session import Session
from vlmhb.execution.stages import StageJob, make_artifact
from vlmhb.execution.verdict import STOPPED_BY_BUDGET
from vlmhb.outcomes import Outcome, within_policy
from vlmhb.plan.fingerprint import model_identity
from vlmhb.plan.metrics import BackendPlan, backends_of
from vlmhb.plan.model import PlannedStage
from vlmhb.plan.planner import plan_evaluate, plan_infer, plan_prepare, plan_score
from vlmhb.resources.need import need_of
from vlmhb.runs import RunRecord
from vlmhb.store.files import read_json
from vlmhb.store.manifest import Manifest

STAGE_WORKERS = 2
SIGNAL_CHECK_S = 0.2


@dataclass(kw_only=True)
class _Shared:
    """What evaluations of one model share: its server, once the first of them has needed it."""

    stack: ExitStack
    server: ServerGroup | None = None


class Runner:
    """One run over its chains. Outcomes are by evaluation id; `faults` are those of no one evaluation.

    `jobs`: models that infer at the same time; None: one on each GPU, and one beside them that needs none."""

    def __init__(
        self,
        session: Session,
        chains: Sequence[Chain],
        *,
        jobs: int | None = None,
        money: Money | None = None,
    ) -> None:
        self._session = session
        self._chains = chains
        self._jobs = jobs
        self._money = money or Money()
        self._record = RunRecord(session.workspace, session.run_id)
        self.outcomes = {chain.evaluation.id: Outcome(id=chain.evaluation.id) for chain in chains}
        self.faults: list[VlmhbError] = []

    def run(self) -> None:
        """To the end; every failure is in `outcomes` or `faults`."""
        with ExitStack() as pools:
            stages = pools.enter_context(ThreadPoolExecutor(STAGE_WORKERS))
            self._wait(stages.submit(self._guard, chain, "prepare", self._prepare) for chain in self._chains)
            futures: list[Future[None]] = []
            for lane in lanes(self._groups(), session=self._session, jobs=self._jobs):
                models = pools.enter_context(ThreadPoolExecutor(lane.workers))
                futures += [models.submit(self._infer_group, group.chains, stages) for group in lane.groups]
            self._wait(futures)

    def rescore(self, sealed: Mapping[str, Mapping[str, Manifest]]) -> None:
        """Evaluate answers that are there: `sealed` are `prepare` and `infer` by evaluation id."""
        for name, manifests in sealed.items():
            self.outcomes[name].manifests.update(manifests)
            for stage, manifest in manifests.items():
                self._record.link(name, stage=stage, fingerprint=manifest.fingerprint)
        for chain in self._chains:
            fingerprint = self.outcomes[chain.evaluation.id].manifests["infer"].fingerprint
            self._count(chain, fingerprint=fingerprint)
        with ThreadPoolExecutor(STAGE_WORKERS) as stages:
            self._wait(
                stages.submit(self._guard, chain, "evaluate", self._evaluate) for chain in self._chains
            )

    def _wait(self, futures: Iterable[Future[None]]) -> None:
        """For all of them, in short steps: a signal that the kernel gives to another thread does not wake a main
        thread that waits without end, and its Python handler would never run."""
        pending = set(futures)
        while pending:
            done, pending = wait(pending, timeout=SIGNAL_CHECK_S)
            for error in (future.exception() for future in done):
                if error is not None:
                    self.faults.append(shown(error, crash_log=self._record.crash_log))

    def _guard(self, chain: Chain, stage: str, work: Callable[[Chain], None]) -> None:
        """Run one stage of one evaluation; its failure ends that evaluation only."""
        outcome = self.outcomes[chain.evaluation.id]
        if outcome.error is not None:
            return
        try:
            if self._session.stop.draining:
                raise Interrupted(f"{stage} not started", hint="the same command continues")
            work(chain)
        except Exception as error:  # noqa: BLE001 - a bug in one evaluation must not cost the others and the report
            told = shown(error, crash_log=self._record.crash_log)
            outcome.fail(told, stage=stage)
            self._session.progress.stage_ended(chain.evaluation.id, stage, outcome.status, told.line())

    def _prepare(self, chain: Chain) -> None:
        planned = plan_prepare(chain.evaluation, chain.facts, self._session.view)
        self._make(chain, planned, lambda: prepare_job(chain))

    def _make(self, chain: Chain, planned: PlannedStage, job: Callable[[], StageJob]) -> Manifest:
        """Linked first: the log of a stage that runs or fails is found in the run's folder as well."""
        name = chain.evaluation.id
        self._record.link(
            name, stage=planned.stage, fingerprint=str(planned.fingerprint), called=planned.name
        )
        manifest = make_artifact(self._session, planned, job, evaluation_id=name)
        self.outcomes[name].manifests[planned.name] = manifest
        return manifest

    def _groups(self) -> list[Group]:
        ready = {name: one.manifests["prepare"] for name, one in self.outcomes.items() if one.error is None}
        return groups_of(self._chains, session=self._session, prepared=ready)

    def _infer_group(self, chains: Sequence[Chain], stages: ThreadPoolExecutor) -> None:
        pending: list[Future[None]] = []
        with ExitStack() as stack:
            shared = _Shared(stack=stack)
            for chain in chains:
                self._guard(chain, "infer", partial(self._infer, shared=shared))
                pending.append(stages.submit(self._guard, chain, "evaluate", self._evaluate))
        self._wait(pending)

    def _infer(self, chain: Chain, *, shared: _Shared) -> None:
        session, evaluation = self._session, chain.evaluation
        prepared = self.outcomes[evaluation.id].manifests["prepare"]
        planned = plan_infer(evaluation, chain.facts, session.view, prepared=prepared)
        planned = with_changed_rows(planned, session=session, prepared=prepared, group="inputs")
        must_run = planned.decision != "reuse"
        image = chain.facts.model_image
        if must_run and shared.server is None and image is not None:
            shared.server = shared.stack.enter_context(
                model_server(session, request_of(chain, image=image), need=need_of(evaluation))
            )
        with ExitStack() as private:
            beside = private.enter_context(
                self._money.inference(
                    evaluation, artifact=str(planned.fingerprint), server=shared.server, session=session
                )
            )
            folder: Path | None = None
            if must_run and chain.secrets:
                folder = private.enter_context(_api_keys(chain.secrets, user=session.user))
            job = partial(
                infer_job,
                chain,
                fingerprint=planned.fingerprint,
                session=session,
                prepared=prepared,
                server=beside,
                secrets=folder,
            )
            try:
                made = self._make(chain, planned, job)
                if made.extra.get(STOPPED_BY_BUDGET):
                    outcome = self.outcomes[evaluation.id]
                    outcome.status, outcome.over_budget = "partial", over_budget(beside, where=evaluation.id)
            finally:
                self._count(chain, fingerprint=str(planned.fingerprint))

    def _count(self, chain: Chain, *, fingerprint: str) -> None:
        """Also for an inference that was interrupted: the driver leaves a summary when it is let to its end."""
        outcome = self.outcomes[chain.evaluation.id]
        summary = read_json(self._session.workspace.artifact("infer", fingerprint).out / "summary.json")
        if summary is None:
            return
        counts = InferSummary.model_validate(summary).counts
        outcome.counts = counts.model_dump()
        lost = counts.planned - counts.ok
        if not within_policy(policy=chain.evaluation.error_policy, planned=counts.planned, lost=lost):
            outcome.status = "partial"

    def _evaluate(self, chain: Chain) -> None:
        session, evaluation = self._session, chain.evaluation
        if not evaluation.metrics:
            return
        made = self.outcomes[evaluation.id].manifests
        answered = Answered(prepared=made["prepare"], inferred=made["infer"])
        scored = {
            backend.name: self._score(chain, backend, answered=answered)
            for backend in backends_of(evaluation)
        }
        planned = plan_evaluate(
            evaluation,
            chain.facts,
            session.view,
            prepared=answered.prepared,
            inferred=answered.inferred,
            scored=scored,
        )
        planned = with_changed_rows(planned, session=session, prepared=answered.prepared, group="labels")
        job = partial(evaluate_job, chain, session=session, answered=answered, scored=scored)
        self._make(chain, planned, job)

    def _score(self, chain: Chain, backend: BackendPlan, *, answered: Answered) -> Manifest:
        planned = plan_score(
            chain.evaluation,
            backend,
            chain.facts,
            self._session.view,
            prepared=answered.prepared,
            inferred=answered.inferred,
        )
        job = partial(score_job, chain, backend, session=self._session, answered=answered)
        return self._make(chain, planned, job)


def _identity(chain: Chain) -> dict[str, object]:
    return model_identity(chain.evaluation, chain.facts)


def _api_keys(references: Mapping[str, str], *, user: str) -> AbstractContextManager[Path]:
    """`references`: `secret:NAME` by the file that holds it."""
    values = {
        file: secrets.lookup(reference, env=os.environ, home=Path.home())
        for file, reference in references.items()
    }
    return secrets.delivered(values, user=user)
