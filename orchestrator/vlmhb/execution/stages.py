"""Makes one artifact: lock, clean up after the dead, run the container, judge its end, seal."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from vlmhb_stages.contracts import Record

from vlmhb.engines.base import ContainerTask, ImageSpec, Limits, Mount, Network
from vlmhb.errors import (
    ArtifactBusy,
)
from vlmhb.execution.heartbeat import heartbeat
from vlmhb.execution.session import Session
from vlmhb.execution.usage import Used, usage_noted, usage_summary
from vlmhb.execution.verdict import budget_end, judge
from vlmhb.execution.watch import KILL_GRACE_S, Watched, watch
from vlmhb.plan.model import PlannedStage
from vlmhb.progress import Counted
from vlmhb.store.artifacts import Artifact, own_by
from vlmhb.store.files import write_json
from vlmhb.store.locks import ArtifactLock
from vlmhb.store.manifest import Manifest

HANG_RETRIES = 1


class Companion(Used):
    """Something that lives beside a stage container; a model server overrides it all."""

    def begin(self) -> None:
        """Called before each attempt of a stage."""

    def mounts(self) -> tuple[Mount, ...]:
        return ()

    def tick(self) -> None:
        """Called often while the stage runs."""

    def on_event(self, event: dict[str, Any]) -> None:
        """Every event of the stage."""

    def facts(self) -> dict[str, Any]:
        """For the manifest."""
        return {}


def _no_more(_artifact: Artifact) -> None:
    """Most stages leave nothing behind but their artifact."""


@dataclass(frozen=True, kw_only=True)
class StageJob:
    """What one stage container needs. `companion` lives beside it (infer: the model server).

    `reads`: sealed artifacts that another run may open again, as they must still be when it has ended."""

    spec: Record
    image: ImageSpec
    mounts: tuple[Mount, ...]
    network: Network = "none"
    limits: Limits = field(default_factory=Limits)
    extra: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)  # relative path -> sha256 of what it reads
    companion: Companion = field(default_factory=Companion)
    reads: tuple[tuple[Artifact, Manifest], ...] = ()
    samples: Path | None = None  # of an inference
    ended: Callable[[Artifact], None] = _no_more  # called when its containers are gone, in whatever way


def make_artifact(
    session: Session, planned: PlannedStage, job: Callable[[], StageJob], *, evaluation_id: str
) -> Manifest:
    """The sealed artifact of `planned`, made if need be. Raises a `VlmhbError` when it cannot be.

    Samples that failed are asked again once in a run, and not when another run has just done so: whoever
    evaluates that run's answers is still reading them."""
    if planned.fingerprint is None or planned.identity is None:
        raise ValueError(f"{planned.stage} of {planned.subject} is not planned yet")
    if planned.decision == "reuse":
        manifest = session.view.sealed(planned.stage, planned.fingerprint)
        if manifest is not None:
            session.progress.stage_ended(evaluation_id, planned.stage, "reused", planned.reason)
            return manifest
    artifact = session.workspace.artifact(planned.stage, planned.fingerprint)

    def waiting(holder: str) -> None:
        if holder != f"pid {os.getpid()} on {session.host}":  # else another evaluation of this very run
            session.progress.message(f"{evaluation_id} {planned.stage}: waiting for another run ({holder})")

    def should_stop() -> bool:
        return session.stop.draining

    with ArtifactLock(artifact.lock, waiting=waiting, should_stop=should_stop):
        session.view.forget(planned.fingerprint)
        manifest = session.view.sealed(planned.stage, planned.fingerprint)
        known = session.made.get(planned.fingerprint)
        if manifest is not None and (manifest == known or manifest.attempts != planned.reopens):
            session.progress.stage_ended(
                evaluation_id, planned.stage, "reused", "just made for another evaluation or run"
            )
            return manifest
        session.cleanup(artifact=planned.fingerprint)
        session.progress.stage_started(evaluation_id, planned.stage, planned.reason)
        manifest = _run_and_seal(session, planned, job(), artifact=artifact, evaluation_id=evaluation_id)
        session.view.forget(planned.fingerprint)
        session.made[planned.fingerprint] = manifest
    session.progress.stage_ended(evaluation_id, planned.stage, "done", f"{manifest.wall_s:.1f} s")
    return manifest


def _run_and_seal(
    session: Session, planned: PlannedStage, job: StageJob, *, artifact: Artifact, evaluation_id: str
) -> Manifest:
    if planned.stage == "infer":
        artifact.reopen()  # its journal goes on where it ended
    else:
        artifact.clear()
    if job.sources:
        write_json(artifact.sources, job.sources)
    for left in range(HANG_RETRIES, -1, -1):
        attempts = artifact.begin(spec=job.spec.model_dump(mode="json"), attempt=_attempt(session, planned))
        started = session.clock()
        try:
            watched, facts = _run_once(session, planned, job, artifact=artifact, evaluation_id=evaluation_id)
        finally:
            job.ended(artifact)
        if watched.hung and watched.exit.code != 0 and left and not session.stop.draining:
            session.progress.message(f"{evaluation_id} {planned.stage}: no sign of life, started again")
            continue
        break
    artifact.collect_events()
    judge(planned, watched, artifact=artifact, session=session)
    _check_reads(job)
    if planned.stage == "infer":
        facts["resources"] = usage_summary(artifact, samples=job.samples)
    return artifact.seal(
        memo=session.workspace.memo,
        stage=planned.stage,
        subject=planned.subject,
        identity=planned.identity,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        host=session.host,
        attempts=attempts,
        wall_s=round(session.clock() - started, 3),
        engine=session.engine.name,
        isolation=session.engine.isolation,
        network=job.network,
        not_enforced=facts.pop("not_enforced"),
        peak_memory_mib=watched.exit.peak_memory_mib,
        extra={
            **job.extra,
            **facts,
            **budget_end(watched),
            "warnings": [*facts.get("warnings", ()), *watched.warnings][:50],
        },
    )


def _attempt(session: Session, planned: PlannedStage) -> dict[str, Any]:
    return {
        "fingerprint": planned.fingerprint,
        "subject": planned.subject,
        "identity": planned.identity,
        "reason": planned.reason,
        "run_id": session.run_id,
        "host": session.host,
        "started": datetime.now(timezone.utc).isoformat(),
    }


def _run_once(
    session: Session, planned: PlannedStage, job: StageJob, *, artifact: Artifact, evaluation_id: str
) -> tuple[Watched, dict[str, Any]]:
    artifact.collect_events()  # of an attempt that was killed: its last words are not this one's
    own_by(artifact.out, user=session.user)
    job.companion.begin()
    with heartbeat(session, job.spec) as beating:
        task = _task(session, planned, job, artifact=artifact, beside=beating)
        watched, missing = _follow(
            session, planned, job, task=task, artifact=artifact, evaluation_id=evaluation_id
        )
    facts = job.companion.facts()
    unenforced = {*session.engine.render(task, root=artifact.folder).not_enforced, *missing}
    facts["not_enforced"] = tuple(sorted({*unenforced, *facts.get("not_enforced", ())}))
    artifact.add_resources(
        {"role": planned.stage, "peak_memory_mib": watched.exit.peak_memory_mib, "exit": watched.exit.code}
    )
    return watched, facts


def _follow(
    session: Session,
    planned: PlannedStage,
    job: StageJob,
    *,
    task: ContainerTask,
    artifact: Artifact,
    evaluation_id: str,
) -> tuple[Watched, tuple[str, ...]]:
    """From its start to its end; what the engine could not enforce."""

    def on_event(event: dict[str, Any]) -> None:
        job.companion.on_event(event)
        _show(event, session=session, evaluation_id=evaluation_id, stage=planned.stage)

    handle = session.scheduler.start(task, engine=session.engine, log=artifact.log)
    hz = session.sample_hz if planned.stage == "infer" else 0.0
    try:
        missing = handle.verify()
        with usage_noted(session, artifact=artifact, driver=handle, beside=job.companion, hz=hz):
            watched = watch(
                handle,
                session=session,
                events=artifact.live_events,
                on_event=on_event,
                on_tick=job.companion.tick,
            )
    except BaseException:
        handle.stop(grace_s=KILL_GRACE_S)  # nobody would follow it any more
        raise
    return watched, missing


def _show(event: dict[str, Any], *, session: Session, evaluation_id: str, stage: str) -> None:
    if event.get("type") == "progress":
        session.progress.update(evaluation_id, Counted.of_event(event))
    elif event.get("type") == "warning":
        session.progress.message(f"{evaluation_id} {stage}: {event.get('message')}")


def _task(
    session: Session, planned: PlannedStage, job: StageJob, *, artifact: Artifact, beside: tuple[Mount, ...]
) -> ContainerTask:
    own = (
        Mount(source=session.kit_path, target="/vlmhb/kit.pyz"),
        Mount(source=artifact.folder / "spec.json", target="/vlmhb/spec.json"),
        Mount(source=artifact.out, target="/vlmhb/out", writable=True),
    )
    return ContainerTask(
        name=f"vlmhb-{planned.stage}-{artifact.fingerprint[:12]}",
        image=job.image,
        command=("python3", "/vlmhb/kit.pyz", planned.stage),
        mounts=(*own, *job.mounts, *job.companion.mounts(), *beside),
        env={"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"},
        network=job.network,
        limits=job.limits,
        labels=session.labels(artifact=artifact.fingerprint, role=planned.stage),
        user=session.user,
    )


def _check_reads(job: StageJob) -> None:
    for source, manifest in job.reads:
        if source.manifest() != manifest:
            raise ArtifactBusy(
                "another run has asked its failed samples again meanwhile",
                where=str(source.folder),
                hint="the same command continues",
            )
