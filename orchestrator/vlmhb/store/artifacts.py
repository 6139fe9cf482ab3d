"""One artifact folder: spec, attempts, outputs, and the manifest that seals them."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmhb.errors import ArtifactEdited
from vlmhb.store.files import open_plain, read_json, sync_tree, write_json
from vlmhb.store.hashing import HashMemo
from vlmhb.store.manifest import NAME as MANIFEST
from vlmhb.store.manifest import Manifest, group_hashes, read_manifest, write_manifest

EVENTS = "events.jsonl"


@dataclass(frozen=True)
class Artifact:
    folder: Path

    @property
    def fingerprint(self) -> str:
        return self.folder.name

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def sources(self) -> Path:
        """Hashes of the files that this artifact was made from, to name what has changed since."""
        return self.folder / "sources.json"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def resources(self) -> Path:
        """What its containers and GPUs used, one line per sample."""
        return self.folder / "resources.jsonl"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def live_events(self) -> Path:
        """Where the stage writes while it runs (its only writable mount is `out/`)."""
        return self.out / EVENTS

    def attempt(self) -> dict[str, Any] | None:
        value = read_json(self.folder / "attempt.json")
        return value if isinstance(value, dict) else None

    def manifest(self) -> Manifest | None:
        """The manifest of a sealed artifact. Raises `ArtifactEdited`."""
        return read_manifest(self.folder)

    def verify(self, manifest: Manifest, *, memo: HashMemo) -> None:
        """Raises `ArtifactEdited` naming the first file that is not what was sealed."""
        found = memo.tree(self.out, links=False).files
        for name in sorted({*found, *manifest.outputs}):
            if found.get(name) != manifest.outputs.get(name):
                state = (
                    "missing" if name not in found else "added" if name not in manifest.outputs else "changed"
                )
                raise ArtifactEdited(
                    f"{name} was {state} by hand after it was sealed",
                    where=str(self.out),
                    hint=f"restore it, or delete {self.folder} to make it again",
                )

    def clear(self) -> None:
        """Throw away what an unfinished attempt has left, for stages that cannot go on from there."""
        shutil.rmtree(self.out, ignore_errors=True)

    def reopen(self) -> None:
        """Break the seal: some samples are to be asked again."""
        (self.folder / MANIFEST).unlink(missing_ok=True)

    def begin(self, *, spec: dict[str, Any], attempt: dict[str, Any]) -> int:
        """Write the spec and one more attempt; how many attempts there are now. Raises `ArtifactEdited`."""
        if self.out.is_symlink():  # what it leads to would be given to the task's user, and written over
            hint = f"delete {self.folder} to make it again"
            raise ArtifactEdited("out is a link", where=str(self.folder), hint=hint)
        self.out.mkdir(parents=True, exist_ok=True)
        count = int((self.attempt() or {}).get("attempts", 0)) + 1
        write_json(self.folder / "spec.json", spec)
        write_json(self.folder / "attempt.json", {**attempt, "attempts": count})
        return count

    def collect_events(self) -> None:
        """Move the stage's events out of `out/`, behind those of earlier attempts."""
        try:
            with open_plain(self.live_events) as written:
                data = written.read()
        except FileNotFoundError:
            return
        with (self.folder / EVENTS).open("ab") as file:
            file.write(data)
        self.live_events.unlink()

    def add_resources(self, record: dict[str, Any]) -> None:
        with self.resources.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def seal(self, *, memo: HashMemo, **fields: Any) -> Manifest:
        """Sync every output, then write the manifest: from here on the artifact never changes."""
        self.collect_events()
        sync_tree(self.out)
        outputs = memo.tree(self.out, links=False).files
        manifest = Manifest(
            fingerprint=self.fingerprint, outputs=outputs, groups=group_hashes(outputs), **fields
        )
        write_manifest(self.folder, manifest)
        return manifest


def own_by(path: Path, *, user: str) -> None:
    """Give a folder to the uid that tasks run as. Only root can; for others it is theirs already."""
    if os.geteuid() != 0:
        return
    uid, _, gid = user.partition(":")
    os.chown(path, int(uid), int(gid or uid), follow_symlinks=False)
