"""The report of a run: what the report stage is told, its container, and its files in the run's folder."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from vlmhb_stages.specs import ReportEvaluation, ReportSpec

from vlmhb.contracts import ResolvedEvaluation
from vlmhb.engines.base import Mount
from vlmhb.execution.jobs import Chain, network_of, urls_of
from vlmhb.execution.session import Session
from vlmhb.execution.stages import StageJob, make_artifact
from vlmhb.outcomes import Outcome
from vlmhb.plan.fingerprint import report_identity
from vlmhb.plan.model import Facts, PlannedStage
from vlmhb.plan.planner import plan_stage
from vlmhb.reported_costs import MoneyState, cost_info, price_provenance, resource_info
from vlmhb.runs import RunRecord
from vlmhb.store.manifest import Manifest
from vlmhb.store.view import WorkspaceView

FILES = ("report.html", "report.md", "report.json", "summary.csv")
STAGE_FOLDERS = {"inputs": "prepare", "infer": "infer", "evaluate": "evaluate"}


def make_report(
    session: Session,
    record: RunRecord,
    evaluations: Sequence[ResolvedEvaluation],
    *,
    facts: Mapping[str, Facts],
    outcomes: Sequence[Outcome],
    money: MoneyState | None = None,
) -> None:
    """Every evaluation is in it, those that could not start as well: those have no `facts`.

    `outcomes` are in the order of `evaluations`. Raises a `VlmhbError` when the report cannot be made."""
    money = money or MoneyState()
    told = [
        _evaluation(session, evaluation, facts.get(evaluation.id), outcome, number=number, money=money)
        for number, (evaluation, outcome) in enumerate(zip(evaluations, outcomes, strict=True))
    ]
    spec = ReportSpec(
        run_id=record.id,
        title=record.id,
        evaluations=tuple(told),
        currency=money.currency,
        budgets=money.budgets,
    )
    mounts = [_mounts(session, outcome, number=number) for number, outcome in enumerate(outcomes)]
    made = {item.id: {stage: m.fingerprint for stage, m in item.manifests.items()} for item in outcomes}
    results = {item.id: {stage: m.groups for stage, m in item.manifests.items()} for item in outcomes}
    context = {"spec": spec.model_dump(mode="json"), "artifacts": made, "results": results}
    common = next(iter(facts.values()))  # image and code of the stages are the same for all
    planned = plan_stage(
        stage="report", subject=record.id, identity=report_identity(context, common), view=session.view
    )
    planned = _with_changed_evaluations(planned, results, view=session.view)
    job = StageJob(spec=spec, image=common.stages_image, mounts=tuple(chain.from_iterable(mounts)))
    manifest = make_artifact(session, planned, lambda: job, evaluation_id="report")
    source = session.workspace.artifact("report", manifest.fingerprint).out
    record.report_dir.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        temporary = record.report_dir / f".{name}.tmp"
        shutil.copyfile(source / name, temporary)
        temporary.replace(record.report_dir / name)


def _with_changed_evaluations(
    planned: PlannedStage, results: dict[str, dict[str, dict[str, str]]], *, view: WorkspaceView
) -> PlannedStage:
    """A reason that a person can read: which evaluations have other results than in the report before."""
    earlier = view.identities("report", planned.subject)
    if planned.decision != "run" or not earlier:
        return planned
    before = earlier[0]["context"]["results"]
    changed = [name for name in results if results[name] != before.get(name)]
    reason = (
        f"other results of {', '.join(changed)}" if changed else "the report's own code or context changed"
    )
    return planned.model_copy(update={"reason": reason})


def _mounts(session: Session, outcome: Outcome, *, number: int) -> list[Mount]:
    mounts = []
    for name, stage in STAGE_FOLDERS.items():
        manifest = outcome.manifests.get(stage)
        if manifest is not None:
            source = session.workspace.artifact(stage, manifest.fingerprint).out
            source = source / "inputs" if stage == "prepare" else source
            mounts.append(Mount(source=source, target=f"/vlmhb/in/e/{number}/{name}"))
    return mounts


def _evaluation(
    session: Session,
    evaluation: ResolvedEvaluation,
    facts: Facts | None,
    outcome: Outcome,
    *,
    number: int,
    money: MoneyState,
) -> ReportEvaluation:
    folders = {
        name: f"/vlmhb/in/e/{number}/{name}" if stage in outcome.manifests else None
        for name, stage in STAGE_FOLDERS.items()
    }
    info = {**_info(session, evaluation, facts, outcome), **cost_info(evaluation, outcome, money=money)}
    inferred = outcome.manifests.get("infer")
    info["provenance"] = _provenance(evaluation, facts, inferred, session=session) if facts else {}
    return ReportEvaluation(id=outcome.id, info=info, **folders)


def _network(session: Session, evaluation: ResolvedEvaluation, facts: Facts | None, outcome: Outcome) -> str:
    """Also of an inference that failed: it had its network all the same. Empty when it never started."""
    if facts is None or "prepare" not in outcome.manifests:
        return ""
    urls = urls_of(Chain(evaluation=evaluation, facts=facts))
    return network_of(urls, container=session.engine.isolation == "container")


def _info(
    session: Session, evaluation: ResolvedEvaluation, facts: Facts | None, outcome: Outcome
) -> dict[str, Any]:
    inferred = outcome.manifests.get("infer")
    missing = {name for manifest in outcome.manifests.values() for name in manifest.not_enforced}
    warnings = [*evaluation.warnings]
    if evaluation.row.limit is not None:
        warnings.append(
            f"only the first {evaluation.row.limit} samples of the benchmark were asked for (limit)"
        )
    for manifest in outcome.manifests.values():
        warnings += manifest.extra.get("warnings", [])
    return {
        "model": evaluation.model.name,
        "framework": evaluation.model.framework,
        "benchmark": evaluation.benchmark.name,
        "task_type": evaluation.benchmark.task_type,
        "engine": session.engine.name,
        "scheduler": session.scheduler.name,
        "isolation": session.engine.isolation,
        "network": inferred.network if inferred else _network(session, evaluation, facts, outcome),
        "not_enforced": sorted(missing if inferred else missing | {"unverified"}),
        "status": outcome.status,
        "failure": outcome.failure,
        "primary": evaluation.primary,
        "warnings": warnings,
        "tags": list(evaluation.row.tags or ()),
        "peak_rss_mib": inferred.extra.get("server_peak_memory_mib") if inferred else None,
        "mode": evaluation.mode,
        "slo": evaluation.slo.model_dump(mode="json"),
        **resource_info(inferred.extra.get("resources") if inferred else None),
    }


def _provenance(
    evaluation: ResolvedEvaluation, facts: Facts, inferred: Manifest | None, *, session: Session
) -> dict[str, Any]:
    image = facts.model_image or facts.stages_image  # a URL or a file of answers needs the driver's alone
    return {
        "image": image.ref,
        "image_digest": image.identity,
        "stages_image": facts.stages_image.ref,
        "stages_image_digest": facts.stages_image.identity,
        "metric_images": {image.ref: image.identity for image in facts.backend_images.values()},
        "weights_sha256": facts.weights_sha256,
        "dataset_sha256": facts.dataset.sha256,
        "kit_sha256": facts.kit_sha256,
        "host": inferred.host if inferred else session.host,
        "platform": platform.platform(),
        "gpus": inferred.extra.get("gpus", []) if inferred else [],
        "seed": evaluation.row.seed or 0,
        "decoding": evaluation.decoding.model_dump(mode="json"),
        **price_provenance(evaluation),
    }
