"""Makes the `prepare` artifact of one evaluation, or finds it: for commands that look at samples and ask no model.

It is the very artifact that a run would make, so that the first run has it already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from vlmhb.cards import Registry
from vlmhb.console import Console
from vlmhb.contracts import EngineName, ResolvedEvaluation
from vlmhb.engines.detect import detect_engine
from vlmhb.engines.users import task_user
from vlmhb.execution.jobs import Chain, prepare_job
from vlmhb.execution.session import Session, StopSignal, stop_on_signals
from vlmhb.execution.stages import make_artifact
from vlmhb.facts import FactFinder
from vlmhb.kit import Kit
from vlmhb.modelcard import ModelCard, TaskType
from vlmhb.plan.planner import plan_prepare
from vlmhb.progress import make_progress
from vlmhb.schedulers.local import LocalScheduler
from vlmhb.store.artifacts import Artifact
from vlmhb.store.manifest import Manifest
from vlmhb.store.view import WorkspaceView
from vlmhb.store.workspace import Workspace

# Takes every task and is never asked: the work ends before inference, so no image or weights of a model are needed.
NOBODY = ModelCard(
    name="nobody",
    framework="none",
    interface="openai",
    tasks=get_args(TaskType),
    base_url="http://localhost",
)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """A sealed `prepare` artifact."""

    artifact: Artifact
    manifest: Manifest

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(str(text) for text in self.manifest.extra.get("warnings", ()))


def sealed_inputs(
    evaluation: ResolvedEvaluation,
    *,
    registry: Registry,
    workspace: Path,
    engine: EngineName | None,
    console: Console,
    called: str,
) -> Inputs:
    """Raises what a run would raise for the data, the engine and the stages image. `called` names the command."""
    opened = Workspace.open(workspace)
    found = detect_engine(engine or "auto")
    kit = Kit.collect()
    finder = FactFinder(workspace=opened, engine=found, kit=kit, registry=registry, warn=console.warn)
    unasked = evaluation.model_copy(
        update={
            "model": NOBODY,
            "weights": None,
            "answers_file": None,
            "metrics": (),
            "user_metrics": (),
            "gate": None,
        }
    )
    chain = Chain(evaluation=evaluation, facts=finder.facts(unasked))
    view = WorkspaceView(opened)
    planned = plan_prepare(evaluation, chain.facts, view)
    stop = StopSignal()
    with make_progress(console=console) as progress, stop_on_signals(stop):
        session = Session(
            run_id=called,
            workspace=opened,
            view=view,
            engine=found,
            scheduler=LocalScheduler(),
            kit_path=kit.write(opened.root / "cache" / "kits"),
            user=task_user(),
            progress=progress,
            stop=stop,
        )
        manifest = make_artifact(session, planned, lambda: prepare_job(chain), evaluation_id=evaluation.id)
    return Inputs(artifact=opened.artifact("prepare", manifest.fingerprint), manifest=manifest)
