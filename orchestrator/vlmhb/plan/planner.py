"""Decides, stage by stage, between reuse, resume and run, and says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlmhb.contracts import ResolvedEvaluation
from vlmhb.plan.explain import changed_files, nearest_change
from vlmhb.plan.fingerprint import (
    evaluate_identity,
    fingerprint,
    infer_identity,
    prepare_identity,
    score_identity,
)
from vlmhb.plan.metrics import BackendPlan, backends_of
from vlmhb.plan.model import Facts, PlannedEvaluation, PlannedStage, Stage, StoreView
from vlmhb.store.hashing import sha256_json
from vlmhb.store.manifest import Manifest


def subject_of(evaluation: ResolvedEvaluation, *, stage: Stage) -> str:
    benchmark = evaluation.benchmark.name
    return benchmark if stage == "prepare" else f"{evaluation.model.name}×{benchmark}"


def plan_stage(
    *, stage: Stage, subject: str, identity: dict[str, Any], view: StoreView, part: str = ""
) -> PlannedStage:
    """The decision for a stage whose identity is known. Raises `ArtifactEdited`."""
    mark = fingerprint(identity)
    decision, reason, reopens = "run", "never done before", None
    manifest = view.sealed(stage, mark)
    if manifest is not None:
        failed = view.failed_samples(mark) if stage == "infer" else {}
        decision, reason = "reuse", "sealed, nothing changed"
        if failed:
            decision, reason = "resume", _why_again(failed)
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
            "part": part,
            "subject": subject,
            "decision": decision,
            "reason": reason,
            "fingerprint": mark,
            "identity": identity,
            "reopens": reopens,
        }
    )


def _why_again(failed: dict[str, int]) -> str:
    """Samples that were skipped for a budget are no failures: they cost nothing where it is still used up."""
    skipped = failed.get("budget", 0)
    kinds = [f"{count} {kind}" for kind, count in sorted(failed.items()) if kind != "budget"]
    reasons = [f"failed samples run again: {', '.join(kinds)}"] if kinds else []
    if skipped:
        reasons.append(f"{skipped} samples that a budget left out are asked, as far as there is money now")
    return "; ".join(reasons)


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


def plan_score(
    evaluation: ResolvedEvaluation,
    backend: BackendPlan,
    facts: Facts,
    view: StoreView,
    *,
    prepared: Manifest,
    inferred: Manifest,
) -> PlannedStage:
    """One metric backend over the answers."""
    return plan_stage(
        stage="score",
        part=backend.name,
        subject=f"{subject_of(evaluation, stage='score')} {backend.name}",
        identity=score_identity(evaluation, backend, facts, read=_read(prepared, inferred)),
        view=view,
    )


def plan_evaluate(
    evaluation: ResolvedEvaluation,
    facts: Facts,
    view: StoreView,
    *,
    prepared: Manifest,
    inferred: Manifest,
    scored: Mapping[str, Manifest],
) -> PlannedStage:
    """`scored`: the sealed scores of the metric backends, by backend."""
    identity = evaluate_identity(
        evaluation,
        facts,
        read=_read(prepared, inferred),
        backends={name: sha256_json(manifest.outputs) for name, manifest in scored.items()},
    )
    subject = subject_of(evaluation, stage="evaluate")
    return plan_stage(stage="evaluate", subject=subject, identity=identity, view=view)


def plan_scoring(
    evaluation: ResolvedEvaluation, facts: Facts, view: StoreView, *, prepared: Manifest, inferred: Manifest
) -> list[PlannedStage]:
    """Everything behind a sealed inference: metric backends, then `evaluate`, as far as can be known now."""
    if not evaluation.metrics:
        return []
    stages = [
        plan_score(evaluation, backend, facts, view, prepared=prepared, inferred=inferred)
        for backend in backends_of(evaluation)
    ]
    scored = {stage.part: manifest for stage in stages if (manifest := _manifest(stage, view)) is not None}
    if len(scored) == len(stages):
        stages.append(
            plan_evaluate(evaluation, facts, view, prepared=prepared, inferred=inferred, scored=scored)
        )
    return stages


def plan_evaluation(evaluation: ResolvedEvaluation, facts: Facts, view: StoreView) -> PlannedEvaluation:
    """As far as can be known now: what follows a stage that must run is planned when that has ended."""
    stages = [plan_prepare(evaluation, facts, view)]
    prepared = _manifest(stages[-1], view)
    if prepared is not None:
        stages.append(plan_infer(evaluation, facts, view, prepared=prepared))
        inferred = _manifest(stages[-1], view)
        if inferred is not None:
            stages += plan_scoring(evaluation, facts, view, prepared=prepared, inferred=inferred)
    return PlannedEvaluation(id=evaluation.id, stages=(*stages, *_to_come(evaluation, known=stages)))


def _to_come(evaluation: ResolvedEvaluation, *, known: list[PlannedStage]) -> list[PlannedStage]:
    """The stages that cannot be planned yet."""
    wanted: list[tuple[Stage, str]] = [("prepare", ""), ("infer", "")]
    wanted += [("score", backend.name) for backend in backends_of(evaluation) if evaluation.metrics]
    wanted.append(("evaluate", ""))
    stages: list[PlannedStage] = []
    for stage, part in wanted[len(known) :]:
        subject = subject_of(evaluation, stage=stage)
        if stage == "evaluate" and not evaluation.metrics:
            stages.append(
                PlannedStage(stage=stage, subject=subject, decision="skip", reason="no metrics asked for")
            )
            continue
        before = "infer" if stage == "score" else [*known, *stages][-1].stage
        reason = f"follows {before}" + ("; only samples that differ are asked" if stage == "infer" else "")
        stages.append(PlannedStage(stage=stage, part=part, subject=subject, decision="run", reason=reason))
    return stages


def _read(prepared: Manifest, inferred: Manifest) -> dict[str, str]:
    """Hashes of what `score` and `evaluate` read; inputs and labels are groups of prepare's outputs."""
    return {
        "inputs": prepared.groups["inputs"],
        "labels": prepared.groups["labels"],
        "predictions": inferred.outputs["predictions.jsonl"],
    }


def _manifest(stage: PlannedStage, view: StoreView) -> Manifest | None:
    if stage.decision != "reuse" or stage.fingerprint is None:
        return None
    return view.sealed(stage.stage, stage.fingerprint)
