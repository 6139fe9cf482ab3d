"""The manifest: the record that seals an artifact, written by the host, last and atomically."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vlmhb.errors import ArtifactEdited
from vlmhb.modelcard import Frozen
from vlmhb.store.files import parse_json, write_json
from vlmhb.store.hashing import sha256_json

MANIFEST_VERSION = 1
NAME = "manifest.json"


class Manifest(Frozen):
    """`outputs` maps each file of `out/` to its sha256. `groups` are hashes over its top-level names.

    `identity` is what was fingerprinted, kept whole so that a later plan can name what changed."""

    manifest_version: int = MANIFEST_VERSION
    stage: str
    subject: str
    fingerprint: str
    identity: dict[str, Any]
    outputs: dict[str, str]
    groups: dict[str, str]
    created: str
    host: str
    attempts: int
    wall_s: float
    engine: str
    isolation: str
    network: str
    not_enforced: tuple[str, ...] = ()
    peak_memory_mib: float | None = None
    extra: dict[str, Any] = {}


def group_hashes(outputs: dict[str, str]) -> dict[str, str]:
    """One hash per top-level file or folder of `out/`: what a later stage depends on."""
    names = sorted({path.split("/", 1)[0] for path in outputs})
    return {
        name: sha256_json({p: h for p, h in outputs.items() if p == name or p.startswith(name + "/")})
        for name in names
    }


def write_manifest(folder: Path, manifest: Manifest) -> None:
    value = manifest.model_dump(mode="json")
    write_json(folder / NAME, {"seal": sha256_json(value), "manifest": value})


def read_manifest(folder: Path) -> Manifest | None:
    """None when the artifact is not sealed. Raises `ArtifactEdited` when the manifest was changed by hand."""
    path = folder / NAME
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    value = parse_json(text)
    hint = f"delete {folder} to make it again"
    if not isinstance(value, dict) or value.get("seal") != sha256_json(value.get("manifest")):
        raise ArtifactEdited("the manifest is not the one that was written", where=str(path), hint=hint)
    try:
        return Manifest.model_validate(value["manifest"])
    except ValidationError as error:
        raise ArtifactEdited(
            f"the manifest cannot be read ({error.error_count()} faults)", where=str(path), hint=hint
        ) from error
