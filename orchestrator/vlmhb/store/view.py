"""The planner's read-only look at the store."""

from __future__ import annotations

from collections import Counter
from typing import Any

from vlmhb_stages.contracts import InferSummary

from vlmhb.errors import ArtifactEdited
from vlmhb.store.files import read_json
from vlmhb.store.locks import ArtifactLock
from vlmhb.store.manifest import Manifest
from vlmhb.store.workspace import Workspace

RETRYABLE = frozenset({"timeout", "rate_limited", "server_error", "connection", "invalid_response", "budget"})


class WorkspaceView:
    """Implements `plan.model.StoreView`. Each artifact is verified once per view."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._sealed: dict[str, Manifest] = {}

    def sealed(self, stage: str, fingerprint: str) -> Manifest | None:
        known = self._sealed.get(fingerprint)
        if known is not None:
            return known
        artifact = self._workspace.artifact(stage, fingerprint)
        manifest = artifact.manifest()
        if manifest is None:
            return None
        try:
            artifact.verify(manifest, memo=self._workspace.memo)
        except ArtifactEdited:
            if artifact.manifest() == manifest:
                raise
            return self.sealed(stage, fingerprint)  # not by hand: another run has just made it again
        self._sealed[fingerprint] = manifest
        return manifest

    def intact(self, stage: str, fingerprint: str) -> Manifest | None:
        """As `sealed`, for where another artifact serves as well: one that was edited by hand is passed over."""
        try:
            return self.sealed(stage, fingerprint)
        except ArtifactEdited:
            return None

    def forget(self, fingerprint: str) -> None:
        """Look at this artifact anew: it was made or made again."""
        self._sealed.pop(fingerprint, None)

    def started(self, stage: str, fingerprint: str) -> bool:
        return self._workspace.artifact(stage, fingerprint).attempt() is not None

    def maker(self, stage: str, fingerprint: str) -> str | None:
        return ArtifactLock.holder(self._workspace.artifact(stage, fingerprint).lock)

    def identities(self, stage: str, subject: str) -> list[dict[str, Any]]:
        return [attempt["identity"] for attempt in self._attempts(stage, subject)]

    def sources(self, subject: str) -> dict[str, str] | None:
        newest = next(iter(self._attempts("prepare", subject)), None)
        if newest is None:
            return None
        known = read_json(self._workspace.artifact("prepare", newest["fingerprint"]).sources)
        return known if isinstance(known, dict) else None

    def _attempts(self, stage: str, subject: str) -> list[dict[str, Any]]:
        """Attempts of this subject, newest first."""
        found = []
        for artifact in self._workspace.artifacts(stage):
            attempt = artifact.attempt() or {}
            if attempt.get("subject") == subject and isinstance(attempt.get("identity"), dict):
                found.append(attempt)
        return sorted(found, key=lambda attempt: str(attempt.get("started")), reverse=True)

    def failed_samples(self, fingerprint: str) -> dict[str, int]:
        artifact = self._workspace.artifact("infer", fingerprint)
        if ((read_json(artifact.folder / "spec.json") or {}).get("backend") or {}).get("kind") == "replay":
            return {}  # a file says the same however often it is asked
        summary = read_json(artifact.out / "summary.json")
        errors = InferSummary.model_validate(summary).errors if summary else {}
        return dict(Counter({kind: count for kind, count in errors.items() if kind in RETRYABLE}))

    def same_model(self, model: dict[str, Any]) -> list[str]:
        """Fingerprints of sealed infer artifacts of the same model identity, newest first.

        One that was edited by hand is no source of records; whoever needs it itself is told."""
        found = []
        for artifact in self._workspace.artifacts("infer"):
            attempt = artifact.attempt() or {}
            identity = attempt.get("identity") or {}
            if identity.get("model") == model and self.intact("infer", artifact.fingerprint) is not None:
                found.append((str(attempt.get("started")), artifact.fingerprint))
        return [fingerprint for _, fingerprint in sorted(found, reverse=True)]
