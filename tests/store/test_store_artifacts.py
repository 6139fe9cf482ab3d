"""Sealing, verifying and what a hand-edited artifact leads to."""

from pathlib import Path
from typing import Any

import pytest
from vlmhb.errors import ArtifactEdited, ExitCode, WorkspaceNotWritable
from vlmhb.store.artifacts import Artifact
from vlmhb.store.manifest import Manifest
from vlmhb.store.workspace import Workspace

FIELDS: dict[str, Any] = {
    "stage": "infer",
    "subject": "m×b",
    "identity": {"a": 1},
    "created": "2026-01-01T00:00:00+00:00",
    "host": "h",
    "attempts": 1,
    "wall_s": 1.0,
    "engine": "docker",
    "isolation": "container",
    "network": "none",
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "workspace")


def sealed(workspace: Workspace) -> tuple[Artifact, Manifest]:
    artifact = workspace.artifact("infer", "f" * 64)
    artifact.begin(spec={"x": 1}, attempt={"subject": "m×b"})
    (artifact.out / "inputs").mkdir()
    (artifact.out / "inputs" / "samples.jsonl").write_text("{}\n")
    (artifact.out / "summary.json").write_text("{}")
    artifact.live_events.write_text('{"type":"end"}\n')
    return artifact, artifact.seal(memo=workspace.memo, **FIELDS)


def test_seal_records_outputs_and_groups_but_not_events(workspace: Workspace) -> None:
    artifact, manifest = sealed(workspace)
    assert set(manifest.outputs) == {"inputs/samples.jsonl", "summary.json"}
    assert set(manifest.groups) == {"inputs", "summary.json"}
    assert (artifact.folder / "events.jsonl").read_text() == '{"type":"end"}\n'
    assert artifact.manifest() == manifest
    artifact.verify(manifest, memo=workspace.memo)


@pytest.mark.parametrize("edit", ["changed", "missing", "added"])
def test_a_hand_edited_output_is_named(workspace: Workspace, edit: str) -> None:
    artifact, manifest = sealed(workspace)
    if edit == "changed":
        (artifact.out / "summary.json").write_text("[]")
    elif edit == "missing":
        (artifact.out / "summary.json").unlink()
    else:
        (artifact.out / "summary.json.bak").write_text("x")
    with pytest.raises(ArtifactEdited, match=f"summary.json.* was {edit} by hand") as caught:
        artifact.verify(manifest, memo=workspace.memo)
    assert caught.value.exit_code == ExitCode.CONTRACT


def test_a_hand_edited_manifest_is_refused(workspace: Workspace) -> None:
    artifact, _ = sealed(workspace)
    path = artifact.folder / "manifest.json"
    path.write_text(path.read_text().replace('"attempts": 1', '"attempts": 2'))
    with pytest.raises(ArtifactEdited, match="not the one that was written"):
        artifact.manifest()


def test_an_unsealed_artifact_has_no_manifest_and_counts_its_attempts(workspace: Workspace) -> None:
    artifact = workspace.artifact("prepare", "a" * 64)
    assert artifact.manifest() is None
    assert artifact.begin(spec={}, attempt={}) == 1
    assert artifact.begin(spec={}, attempt={}) == 2


def test_a_workspace_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        WorkspaceNotWritable, match=r"VHB401: cannot write to the workspace.*hint: choose another"
    ):
        Workspace.open(tmp_path / "file" / "workspace")


def test_a_workspace_keeps_its_identity(workspace: Workspace) -> None:
    assert workspace.id == Workspace.open(workspace.root).id
