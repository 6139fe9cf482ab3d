"""Where everything is: the workspace folder, its identity and its caches."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from vlmhb.errors import WorkspaceNotWritable
from vlmhb.store.artifacts import Artifact
from vlmhb.store.files import create_once, read_json
from vlmhb.store.hashing import HashMemo


@dataclass(frozen=True)
class Workspace:
    """Paths below one folder. Nothing is created until `open()`."""

    root: Path

    @staticmethod
    def open(root: Path) -> Workspace:
        """Create the folder if need be. Raises `WorkspaceNotWritable`."""
        workspace = Workspace(root.absolute())
        try:
            for name in ("artifacts", "runs", "cache"):
                (workspace.root / name).mkdir(parents=True, exist_ok=True)
            probe = workspace.root / "cache" / f".probe-{os.getpid()}"
            probe.write_bytes(b"x")
            probe.unlink()
            if not workspace._identity.exists():
                create_once(workspace._identity, json.dumps({"id": uuid.uuid4().hex[:16]}).encode())
        except OSError as error:
            raise WorkspaceNotWritable(
                f"cannot write to the workspace ({error.strerror})",
                where=str(workspace.root),
                hint="choose another with --workspace or VLMHB_WORKSPACE",
            ) from error
        return workspace

    @property
    def id(self) -> str:
        """Random name of this workspace: tells its containers from those of another one on the same host."""
        return str(read_json(self._identity)["id"])

    @property
    def _identity(self) -> Path:
        return self.root / "cache" / "workspace.json"

    @property
    def memo(self) -> HashMemo:
        return HashMemo(self.root / "cache" / "hashes")

    def artifact(self, stage: str, fingerprint: str) -> Artifact:
        return Artifact(self.root / "artifacts" / stage / fingerprint)

    def artifacts(self, stage: str) -> list[Artifact]:
        folder = self.root / "artifacts" / stage
        return [Artifact(path) for path in sorted(folder.iterdir())] if folder.is_dir() else []

    def server_file(self, identity: str, *, suffix: str) -> Path:
        """Lock, config or log of the model server with this model identity."""
        return self.root / "cache" / "servers" / f"{identity[:24]}{suffix}"

    def run_dir(self, run_id: str) -> Path:
        return self.root / "runs" / run_id
