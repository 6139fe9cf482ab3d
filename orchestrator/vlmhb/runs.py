"""The record of a run: its folder, its config kept verbatim, its plan, its state, links to its artifacts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from vlmhb.contracts import RunConfig
from vlmhb.errors import UnknownRun
from vlmhb.outcomes import Outcome
from vlmhb.plan.model import PlannedEvaluation
from vlmhb.store.files import read_json, write_json
from vlmhb.store.hashing import sha256_json
from vlmhb.store.workspace import Workspace


def run_id_of(config: RunConfig, *, engine: str, overrides: Mapping[str, Any]) -> str:
    """`<config stem>-<8 hex>`: the same rows give the same run, wherever the file lies."""
    rows = [row.model_dump(mode="json", exclude={"place"}) for row in config.rows]
    return f"{config.path.stem}-{sha256_json([rows, engine, dict(overrides)])[:8]}"


class RunRecord:
    def __init__(self, workspace: Workspace, run_id: str) -> None:
        self.id = run_id
        self.folder = workspace.run_dir(run_id)

    @staticmethod
    def find(workspace: Workspace, name: str | None) -> RunRecord:
        """The run called `name`, or the newest one. Raises `UnknownRun` naming those that there are."""
        folders = sorted((workspace.root / "runs").glob("*/run.json"), key=lambda path: path.stat().st_mtime)
        known = [path.parent.name for path in folders]
        if not known:
            raise UnknownRun(
                "there is no run yet", where=str(workspace.root), hint="start one with vlmhb run CONFIG"
            )
        if name is None:
            return RunRecord(workspace, known[-1])
        if name not in known:
            raise UnknownRun(
                f"no run {name!r}", where=str(workspace.root), hint=f"there are {', '.join(known[-5:])}"
            )
        return RunRecord(workspace, name)

    @property
    def report_dir(self) -> Path:
        return self.folder / "report"

    def state(self) -> dict[str, Any]:
        value = read_json(self.folder / "run.json")
        return value if isinstance(value, dict) else {}

    def begin(self, config: RunConfig, *, plan: Sequence[PlannedEvaluation], command: Sequence[str]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(config.path, self.folder / f"config{config.path.suffix}")
        write_json(self.folder / "plan.json", [item.model_dump(mode="json") for item in plan])
        self._update(
            run_id=self.id,
            config=str(config.path.absolute()),
            command=list(command),
            cwd=str(Path.cwd()),
            pid=os.getpid(),
            started=_now(),
            ended=None,
            status="running",
        )

    def end(self, outcomes: Sequence[Outcome], *, status: str, exit_code: int) -> None:
        evaluations = [
            {"id": item.id, "status": item.status, "counts": item.counts, "failure": item.failure}
            for item in outcomes
        ]
        self._update(ended=_now(), status=status, exit_code=exit_code, evaluations=evaluations)

    def link(self, workspace: Workspace, outcome: Outcome) -> None:
        """Relative links, so that a moved workspace stays whole."""
        folder = self.folder / "evaluations" / outcome.id
        folder.mkdir(parents=True, exist_ok=True)
        for stage, manifest in outcome.manifests.items():
            link = folder / stage
            target = os.path.relpath(workspace.artifact(stage, manifest.fingerprint).folder, folder)
            if link.is_symlink() and str(link.readlink()) == target:
                continue
            link.unlink(missing_ok=True)
            link.symlink_to(target)

    def _update(self, **fields: Any) -> None:
        write_json(self.folder / "run.json", {**self.state(), **fields})


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
