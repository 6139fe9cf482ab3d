"""Decides, stage by stage, between reuse, resume and run, and says why."""

from __future__ import annotations

from typing import Any

from vlmhb.contracts import ResolvedEvaluation
from vlmhb.plan.explain import changed_files, nearest_change
from vlmhb.plan.fingerprint import evaluate_identity, fingerprint, infer_identity, prepare_identity
from vlmhb.plan.model import Facts, PlannedEvaluation, PlannedStage, Stage, StoreView
from vlmhb.store.manifest import Manifest


def subject_of(evaluation: ResolvedEvaluation, *, stage: Stage) -> str:
    benchmark = evaluation.benchmark.name
    return benchmark if stage == "prepare" else f"{evaluation.model.name}×{benchmark}"


def plan_stage(*, stage: Stage, subject: str, identity: dict[str, Any], view: StoreView) -> PlannedStage:
    """The decision for a stage whose identity is known. Raises `ArtifactEdited`."""
    mark = fingerprint(identity)
    decision, reason, reopens = "run", "never done before", None
    manifest = view.sealed(stage, mark)
    if manifest is not None:
        failed = view.failed_samples(mark) if stage == "infer" else {}
        decision, reason = "reuse", "sealed, nothing changed"
        if failed:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(failed.items()))
            decision, reason = "resume", f"failed samples run again: {kinds}"
            reopens = manifest.attempts
    elif view.started(stage, mark):
        maker = view.maker(stage, mark)
        decision = "resume"
        reason = f"being made right now ({maker})" if maker else "an earlier attempt was interrupted"
    else:
        change = nearest_change(view.identities(stage, subject), identity)
        if change is not None:
            reason = f"{stage} {subject}: {change}"
    return PlannedStage.model_validate(
        {
            "stage": stage,
            "subject": subject,
            "decision": decision,
            "reason": reason,
            "fingerprint": mark,
            "identity": identity,
            "reopens": reopens,
        }
    )


def plan_prepare(evaluation: ResolvedEvaluation, facts: Facts, view: StoreView) -> PlannedStage:
    subject = subject_of(evaluation, stage="prepare")
    planned = plan_stage(
        stage="prepare", subject=subject, identity=prepare_identity(evaluation, facts), view=view
    )
    before = view.sources(subject) if planned.decision == "run" else None
    changed = changed_files(before, facts.dataset.files) if before is not None else ""
    return planned.model_copy(update={"reason": f"{planned.reason}: {changed}"}) if changed else planned


def plan_infer(
    evaluation: ResolvedEvaluation, facts: Facts, view: StoreView, *, prepared: Manifest
) -> PlannedStage:
    return plan_stage(
        stage="infer",
        subject=subject_of(evaluation, stage="infer"),
        identity=infer_identity(evaluation, facts, inputs=prepared.groups["inputs"]),
        view=view,
    )


def plan_evaluate(
    evaluation: ResolvedEvaluation, facts: Facts, view: StoreView, *, prepared: Manifest, inferred: Manifest
) -> PlannedStage:
    identity = evaluate_identity(
        evaluation,
        facts,
        inputs=prepared.groups["inputs"],
        labels=prepared.groups["labels"],
        predictions=inferred.outputs["predictions.jsonl"],
    )
    subject = subject_of(evaluation, stage="evaluate")
    return plan_stage(stage="evaluate", subject=subject, identity=identity, view=view)


def plan_evaluation(evaluation: ResolvedEvaluation, facts: Facts, view: StoreView) -> PlannedEvaluation:
    """As far as can be known now: what follows a stage that must run is planned when that has ended."""
    stages = [plan_prepare(evaluation, facts, view)]
    prepared = _manifest(stages[-1], view)
    if prepared is not None:
        stages.append(plan_infer(evaluation, facts, view, prepared=prepared))
        inferred = _manifest(stages[-1], view)
        if inferred is not None and evaluation.metrics:
            stages.append(plan_evaluate(evaluation, facts, view, prepared=prepared, inferred=inferred))
    wanted: tuple[Stage, ...] = ("prepare", "infer", "evaluate")
    for stage in wanted[len(stages) :]:
        subject = subject_of(evaluation, stage=stage)
        if stage == "evaluate" and not evaluation.metrics:
            stages.append(
                PlannedStage(stage=stage, subject=subject, decision="skip", reason="no metrics asked for")
            )
        else:
            reason = f"follows {stages[-1].stage}" + (
                "; only samples that differ are asked" if stage == "infer" else ""
            )
            stages.append(PlannedStage(stage=stage, subject=subject, decision="run", reason=reason))
    return PlannedEvaluation(id=evaluation.id, stages=tuple(stages))


def _manifest(stage: PlannedStage, view: StoreView) -> Manifest | None:
    if stage.decision != "reuse" or stage.fingerprint is None:
        return None
    return view.sealed(stage.stage, stage.fingerprint)
