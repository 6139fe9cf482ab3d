"""Carries out a run: prepare everything, infer model by model, evaluate as answers come in, report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from vlmhb_stages.contracts import InferSummary

from vlmhb import secrets
from vlmhb.engines.base import ImageSpec, Mount
from vlmhb.errors import Interrupted, VlmhbError, disk_error
from vlmhb.execution.changes import with_changed_rows
from vlmhb.execution.jobs import Chain, evaluate_job, infer_job, prepare_job
from vlmhb.execution.servers import ModelServer, code_target, model_server
from vlmhb.execution.session import Session
from vlmhb.execution.stages import make_artifact
from vlmhb.outcomes import Outcome, within_policy
from vlmhb.plan.fingerprint import model_identity
from vlmhb.plan.planner import plan_evaluate, plan_infer, plan_prepare
from vlmhb.resources.gpus import choose_gpus
from vlmhb.store.files import read_json
from vlmhb.store.hashing import sha256_json

STAGE_WORKERS = 2


class Runner:
    """One run over its chains. Outcomes are by evaluation id; nothing here raises for one bad evaluation."""

    def __init__(self, session: Session, chains: Sequence[Chain], *, jobs: int = 1) -> None:
        self._session = session
        self._chains = chains
        self._jobs = jobs
        self.outcomes = {chain.evaluation.id: Outcome(id=chain.evaluation.id) for chain in chains}

    def run(self) -> None:
        with ThreadPoolExecutor(STAGE_WORKERS) as stages, ThreadPoolExecutor(self._jobs) as models:
            _wait(stages.submit(self._guard, chain, "prepare", self._prepare) for chain in self._chains)
            _wait(models.submit(self._infer_group, group, stages) for group in self._groups())

    def _guard(self, chain: Chain, stage: str, work: Callable[[Chain], None]) -> None:
        """Run one stage of one evaluation; its failure ends that evaluation only."""
        outcome = self.outcomes[chain.evaluation.id]
        if outcome.error is not None:
            return
        try:
            if self._session.stop.draining:
                raise Interrupted(f"{stage} not started", hint="the same command continues")
            work(chain)
        except (VlmhbError, OSError) as error:
            told = error if isinstance(error, VlmhbError) else disk_error(error)
            outcome.fail(told, stage=stage)
            self._session.progress.stage_ended(chain.evaluation.id, stage, outcome.status, told.line())

    def _prepare(self, chain: Chain) -> None:
        planned = plan_prepare(chain.evaluation, chain.facts, self._session.view)
        manifest = make_artifact(
            self._session, planned, lambda: prepare_job(chain), evaluation_id=chain.evaluation.id
        )
        self.outcomes[chain.evaluation.id].manifests["prepare"] = manifest

    def _groups(self) -> list[list[Chain]]:
        """Chains of the same model together, in order of first appearance: a model is loaded once."""
        groups: dict[str, list[Chain]] = {}
        for chain in self._chains:
            if self.outcomes[chain.evaluation.id].error is None:
                key = sha256_json([_identity(chain), chain.evaluation.row.gpus, chain.evaluation.base_url])
                groups.setdefault(key, []).append(chain)
        return list(groups.values())

    def _infer_group(self, chains: list[Chain], stages: ThreadPoolExecutor) -> None:
        pending: list[Future[None]] = []
        with ExitStack() as stack:
            server: ModelServer | None = None

            def infer(chain: Chain) -> None:
                nonlocal server
                server = self._infer(chain, server=server, stack=stack)

            for chain in chains:
                self._guard(chain, "infer", infer)
                pending.append(stages.submit(self._guard, chain, "evaluate", self._evaluate))
        _wait(pending)

    def _infer(self, chain: Chain, *, server: ModelServer | None, stack: ExitStack) -> ModelServer | None:
        """The server that is there afterwards: started by the first evaluation that must run."""
        session, evaluation = self._session, chain.evaluation
        outcome = self.outcomes[evaluation.id]
        prepared = outcome.manifests["prepare"]
        planned = plan_infer(evaluation, chain.facts, session.view, prepared=prepared)
        planned = with_changed_rows(planned, workspace=session.workspace, prepared=prepared, group="inputs")
        must_run = planned.decision != "reuse"
        image = chain.facts.model_image
        if must_run and server is None and image is not None:
            server = stack.enter_context(self._server(chain, image=image))
        with ExitStack() as private:
            folder: Path | None = None
            if must_run and evaluation.api_key is not None:
                folder = private.enter_context(_api_key(evaluation.api_key, user=session.user))
            outcome.manifests["infer"] = make_artifact(
                session,
                planned,
                lambda: infer_job(chain, session=session, prepared=prepared, server=server, secrets=folder),
                evaluation_id=evaluation.id,
            )
        self._count(chain)
        return server

    def _server(self, chain: Chain, *, image: ImageSpec) -> AbstractContextManager[ModelServer]:
        evaluation, model = chain.evaluation, chain.evaluation.model
        mounts = []
        if evaluation.weights is not None:
            mounts.append(Mount(source=evaluation.weights, target="/vlmhb/in/weights"))
        if model.code_path is not None:
            mounts.append(Mount(source=model.code_path, target=code_target(model.code_path)))
        return model_server(
            self._session,
            model=model,
            identity=sha256_json(_identity(chain)),
            image=image,
            mounts=tuple(mounts),
            weights=str(evaluation.weights) if evaluation.weights else None,
            gpus=choose_gpus(asked=evaluation.row.gpus, count=model.gpus, where=str(evaluation.row.place)),
            batch_size=evaluation.row.batch_size,
        )

    def _count(self, chain: Chain) -> None:
        outcome = self.outcomes[chain.evaluation.id]
        folder = self._session.workspace.artifact("infer", outcome.manifests["infer"].fingerprint).out
        counts = InferSummary.model_validate(read_json(folder / "summary.json")).counts
        outcome.counts = counts.model_dump()
        lost = counts.planned - counts.ok
        if not within_policy(policy=chain.evaluation.error_policy, planned=counts.planned, lost=lost):
            outcome.status = "partial"

    def _evaluate(self, chain: Chain) -> None:
        session, evaluation = self._session, chain.evaluation
        if not evaluation.metrics:
            return
        outcome = self.outcomes[evaluation.id]
        prepared, inferred = outcome.manifests["prepare"], outcome.manifests["infer"]
        planned = plan_evaluate(evaluation, chain.facts, session.view, prepared=prepared, inferred=inferred)
        planned = with_changed_rows(planned, workspace=session.workspace, prepared=prepared, group="labels")
        outcome.manifests["evaluate"] = make_artifact(
            session,
            planned,
            lambda: evaluate_job(chain, session=session, prepared=prepared, inferred=inferred),
            evaluation_id=evaluation.id,
        )


def _identity(chain: Chain) -> dict[str, object]:
    return model_identity(chain.evaluation, chain.facts)


def _api_key(reference: str, *, user: str) -> AbstractContextManager[Path]:
    value = secrets.lookup(reference, env=os.environ, home=Path.home())
    return secrets.delivered({"api_key": value}, user=user)


def _wait(futures: Iterable[Future[None]]) -> None:
    """Wait for all; a programming error in any of them is raised here."""
    for future in list(futures):
        future.result()
