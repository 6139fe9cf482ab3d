"""Names the samples that have changed since a stage ran last: a dataset rewritten under the same ids is seen."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

from vlmhb.execution.session import Session
from vlmhb.plan.model import PlannedStage
from vlmhb.store.manifest import Manifest

FILES = {"inputs": "inputs/samples.jsonl", "labels": "labels/labels.jsonl"}
MAX_NAMED = 5


def with_changed_rows(
    planned: PlannedStage, *, session: Session, prepared: Manifest, group: Literal["inputs", "labels"]
) -> PlannedStage:
    """`planned` with the changed rows in its reason, where an earlier artifact of the same subject is known."""
    if planned.decision != "run":
        return planned
    before = _previous_file(planned, session=session, group=group)
    if before is None:
        return planned
    now = session.workspace.artifact("prepare", prepared.fingerprint).out / FILES[group]
    changed = changed_ids(before, now)
    if not changed:
        return planned
    named = ", ".join(changed[:MAX_NAMED]) + (" ..." if len(changed) > MAX_NAMED else "")
    return planned.model_copy(
        update={"reason": f"{planned.reason}; {group} of {len(changed)} samples differ: {named}"}
    )


def changed_ids(before: Path, now: Path) -> list[str]:
    """Ids of rows that were changed, added or removed, in the order of the files."""
    old, new = _rows(before), _rows(now)
    return [name for name in {**new, **old} if old.get(name) != new.get(name)]


def _rows(path: Path) -> dict[str, bytes]:
    with path.open("rb") as file:
        return {json.loads(line)["sample_id"]: hashlib.sha256(line).digest() for line in file}


def _previous_file(planned: PlannedStage, *, session: Session, group: str) -> Path | None:
    """The samples or labels that the newest other artifact of this subject was made from."""
    attempts = [
        attempt
        for artifact in session.workspace.artifacts(planned.stage)
        if artifact.fingerprint != planned.fingerprint
        and (attempt := artifact.attempt() or {}).get("subject") == planned.subject
    ]
    if not attempts:
        return None
    newest = max(attempts, key=lambda attempt: str(attempt.get("started")))
    wanted = newest.get("identity", {}).get(group)
    for artifact in session.workspace.artifacts("prepare"):
        manifest = session.view.intact("prepare", artifact.fingerprint)
        if manifest is not None and manifest.groups.get(group) == wanted:
            return artifact.out / FILES[group]
    return None
