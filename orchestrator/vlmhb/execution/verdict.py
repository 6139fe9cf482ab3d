"""How a stage ended: with all its work done, stopped by its budget, or with an error that tells why not."""

from __future__ import annotations

from typing import Any

from vlmhb.errors import BudgetReached, DiskFull, Interrupted, StageFailed, VlmhbError, error_class
from vlmhb.execution.session import Session
from vlmhb.execution.watch import Watched
from vlmhb.plan.model import PlannedStage
from vlmhb.store.artifacts import Artifact

EXIT_DISK_FULL = 5
EXIT_BUDGET = 7
STOPPED_BY_BUDGET = "stopped_by_budget"  # in a manifest's `extra`: some samples wait for more money


def judge(planned: PlannedStage, watched: Watched, *, artifact: Artifact, session: Session) -> None:
    """Raises unless the stage did all its work; a stage asked to stop may have been done just then.

    Exit code 0 alone does not say so: code of a user's that runs inside may call `exit` as well."""
    ended, fatal, where = watched.exit, watched.fatal, str(artifact.log)
    if ended.code == 0 and ended.reason in ("exit", "stopped") and fatal is None and watched.finished:
        return
    if budget_end(watched):
        return
    if session.stop.draining:
        raise Interrupted(
            f"{planned.stage} of {planned.subject} was stopped", hint="the same command continues"
        )
    if ended.code == EXIT_DISK_FULL:
        raise DiskFull(
            "no space left on the device",
            where=str(artifact.out),
            hint="free some; the same command continues",
        )
    if fatal is not None:
        raise _told_by_stage(planned, fatal, where=where)
    reasons = {
        "oom": "killed for memory; raise limits.memory_mib in the card",
        "child_oom": "a process inside was killed for memory: rows may be missing",
        "timeout": "ran out of time",
        "stopped": "no sign of life" if watched.hung else "stopped from outside",
        "engine_error": f"the engine refused it: {ended.detail}",
        "image_missing": f"image missing: {ended.detail}",
    }
    unfinished = (
        "its process ended before the work was done" if ended.code == 0 else f"exit code {ended.code}"
    )
    why = reasons.get(ended.reason, unfinished)
    raise StageFailed(f"{planned.stage} of {planned.subject} failed: {why}", where=where, hint="see the log")


def budget_end(watched: Watched) -> dict[str, Any]:
    """The driver has recorded for every sample that money is missing for that it was skipped: it is complete."""
    fatal = watched.fatal or {}
    ended = watched.exit.code == EXIT_BUDGET and fatal.get("code") == BudgetReached.code
    return {STOPPED_BY_BUDGET: True} if ended else {}


def _told_by_stage(planned: PlannedStage, fatal: dict[str, Any], *, where: str) -> VlmhbError:
    return error_class(str(fatal.get("code")))(
        f"{planned.stage} of {planned.subject}: {fatal.get('message')}",
        where=where,
        hint=str(fatal.get("hint") or ""),
    )
