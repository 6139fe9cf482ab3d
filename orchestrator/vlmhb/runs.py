"""The record of a run: its folder, a copy of its config, its plan, its state, links to its artifacts."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vlmhb.configcopy import keep_config
from vlmhb.contracts import ResolvedEvaluation, RunConfig
from vlmhb.errors import UnknownRun
from vlmhb.naming import cut
from vlmhb.outcomes import Outcome
from vlmhb.plan.model import PlannedEvaluation
from vlmhb.store.files import read_json, write_json
from vlmhb.store.hashing import sha256_json
from vlmhb.store.locks import owner_name, process_start
from vlmhb.store.workspace import Workspace

RESOLVED = "resolved.json"
_STATE: Mapping[str, type] = {
    "run_id": str, "config": str, "cwd": str, "command": list, "engine": str, "host": str, "pid": int, "started": str,
    "status": str, "evaluations": list,
}  # fmt: skip
_MOST_PIDS = 2**31
MAX_STEM = 200  # bytes of the name of a config in the name of its run


def run_id_of(config: RunConfig, *, engine: str, overrides: Mapping[str, Any]) -> str:
    """`<config stem>-<8 hex>`: the same rows give the same run, wherever the file lies; so does a raised budget."""
    rows = [row.model_dump(mode="json", exclude={"place", "budget"}) for row in config.rows]
    return f"{cut(config.path.stem, to=MAX_STEM)}-{sha256_json([rows, engine, dict(overrides)])[:8]}"


class RunRecord:
    def __init__(self, workspace: Workspace, run_id: str) -> None:
        self.id = run_id
        self._workspace = workspace
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
        name = known[-1] if name is None else name
        if name not in known:
            raise UnknownRun(
                f"no run {name!r}", where=str(workspace.root), hint=f"there are {', '.join(known[-5:])}"
            )
        record = RunRecord(workspace, name)
        if not _is_state(record.state()):
            hint = "the same vlmhb run command writes it anew and reuses what is there"
            raise UnknownRun(
                f"the record of {name} cannot be read", where=str(record.folder / "run.json"), hint=hint
            )
        return record

    @staticmethod
    def all(workspace: Workspace) -> list[RunRecord]:
        """Those that can be read."""
        paths = (workspace.root / "runs").glob("*/run.json")
        records = (RunRecord(workspace, path.parent.name) for path in paths)
        return [record for record in records if _is_state(record.state())]

    @property
    def report_dir(self) -> Path:
        return self.folder / "report"

    @property
    def events(self) -> Path:
        """What happened, as `progress.recorded` writes it."""
        return self.folder / "events.jsonl"

    @property
    def crash_log(self) -> Path:
        """Tracebacks of our own faults."""
        return self.folder / "crash.txt"

    @property
    def is_running(self) -> bool:
        """By the process that says so; one on another host cannot be seen and is believed."""
        state = self.state()
        if state.get("status") != "running" or state.get("host") != socket.gethostname():
            return state.get("status") == "running"
        return process_start(int(state["pid"])) == state.get("pid_start")

    def dead_owner(self, *, engine: str) -> str | None:
        """The label of what a killed run has left behind; None when it ended, runs, or was swept already."""
        state = self.state()
        if state.get("status") != "running" or self.is_running or state.get("swept"):
            return None
        if state.get("engine") != engine:
            return None
        return owner_name(host=state["host"], pid=int(state["pid"]), start=state["pid_start"])

    def mark_swept(self) -> None:
        write_json(self.folder / "run.json", {**self.state(), "swept": True})

    def state(self) -> dict[str, Any]:
        value = read_json(self.folder / "run.json")
        return value if isinstance(value, dict) else {}

    def begin(
        self,
        config: RunConfig,
        *,
        plan: Sequence[PlannedEvaluation],
        engine: str,
        command: Sequence[str],
        evaluations: Sequence[ResolvedEvaluation] = (),
        cards: Sequence[Path] = (),
    ) -> None:
        """`evaluations` are kept for `rescore`, which looks nothing up again but names of metrics; `cards`
        are the folders for that."""
        self.folder.mkdir(parents=True, exist_ok=True)
        keep_config(config, folder=self.folder)
        write_json(self.folder / "plan.json", [item.model_dump(mode="json") for item in plan])
        write_json(self.folder / RESOLVED, [item.model_dump(mode="json") for item in evaluations])
        for link in self.folder.glob("evaluations/*/[!.]*"):  # of an earlier try: they are made anew
            link.unlink(missing_ok=True)
        write_json(
            self.folder / "run.json",
            {
                "run_id": self.id,
                "config": str(config.path.absolute()),
                "command": list(command),
                "cwd": str(Path.cwd()),
                "cards": [str(path.absolute()) for path in cards],
                "engine": engine,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "pid_start": process_start(os.getpid()),
                "started": _now(),
                "ended": None,
                "status": "running",
                "evaluations": [],
            },
        )

    def evaluations(self) -> list[ResolvedEvaluation]:
        """As they were resolved when the run began. Raises `UnknownRun` for a record without them."""
        kept = read_json(self.folder / RESOLVED)
        try:
            return [ResolvedEvaluation.model_validate(item) for item in kept or []]
        except (ValidationError, TypeError):
            what = f"the record of {self.id} is of another version"
            hint = "the same vlmhb run command writes it anew and reuses what is there"
            raise UnknownRun(what, where=str(self.folder / RESOLVED), hint=hint) from None

    def linked(self, evaluation_id: str, *, stage: str) -> str | None:
        """The fingerprint of the artifact that `evaluations/<id>/<stage>` leads to."""
        link = self.folder / "evaluations" / evaluation_id / stage
        return link.readlink().name if link.is_symlink() else None

    def end(self, outcomes: Sequence[Outcome], *, status: str, exit_code: int) -> None:
        ended = {"ended": _now(), "status": status, "exit_code": exit_code}
        evaluations = [item.summary() for item in outcomes]
        write_json(self.folder / "run.json", {**self.state(), **ended, "evaluations": evaluations})

    def link(self, evaluation_id: str, *, stage: str, fingerprint: str, called: str | None = None) -> None:
        """`evaluations/<id>/<called>` (the stage's name), relative, so that a moved workspace stays whole."""
        folder = self.folder / "evaluations" / evaluation_id
        folder.mkdir(parents=True, exist_ok=True)
        name = called or stage
        fresh = folder / f".{name}.{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.path.relpath(self._workspace.artifact(stage, fingerprint).folder, folder))
        fresh.replace(folder / name)


def _is_state(state: Mapping[str, Any]) -> bool:
    """Whether it is what `begin` writes: a process is looked for, and stopped, by what stands there."""
    has_types = all(isinstance(state.get(name), kind) for name, kind in _STATE.items())
    return has_types and 0 < state["pid"] < _MOST_PIDS


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
