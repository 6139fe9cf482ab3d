"""Files of the workspace that somebody else has edited, swapped for links, or left as pipes."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from vlmhb.errors import ArtifactEdited, UnknownRun, VlmhbError
from vlmhb.images.resolve import resolve_image
from vlmhb.progress import EventTail
from vlmhb.runs import RunRecord
from vlmhb.store.artifacts import Artifact, own_by
from vlmhb.store.files import read_json, sync_tree
from vlmhb.store.hashing import HashMemo, sha256_json
from vlmhb.store.manifest import read_manifest
from vlmhb.store.view import WorkspaceView
from vlmhb.store.workspace import Workspace

NEST = "[" * 100_000
PRIVATE = "PRIVATE-OUTSIDE"
JUNK: dict[str, bytes] = {
    "nothing": b"",
    "a nest": NEST.encode(),
    "a list": b"[]",
    "a text": b'"x"',
    "a number": b"1e9999",
    "no JSON": b"\xff\xfe\0",
    "half of a pair": b'{"seal": "\\ud800", "manifest": {"a": "\\ud800"}}',
    "many digits": b'{"seal": 1, "manifest": ' + b"9" * 5000 + b"}",
    "twice": b'{"manifest": {}, "manifest": {"stage": "x"}, "seal": "x"}',
    "wrong types": b'{"seal": [], "manifest": []}',
    "not a number": b'{"seal": "x", "manifest": {"wall_s": NaN}}',
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "ws")


def artifact(workspace: Workspace) -> Artifact:
    found = workspace.artifact("infer", "a" * 64)
    found.out.mkdir(parents=True)
    return found


@pytest.mark.parametrize("name", JUNK)
def test_a_manifest_by_hand_is_never_one(workspace: Workspace, name: str) -> None:
    found = artifact(workspace)
    (found.folder / "manifest.json").write_bytes(JUNK[name])
    with pytest.raises(ArtifactEdited) as caught:
        read_manifest(found.folder)
    assert caught.value.line().isprintable()
    assert (found.folder / "manifest.json").read_bytes() == JUNK[name]


def test_a_manifest_with_a_right_seal_and_a_hostile_name(workspace: Workspace) -> None:
    """Its names are compared with what is there; none is ever opened by the name that it gives."""
    found = artifact(workspace)
    value: dict[str, Any] = {
        "stage": "infer", "subject": "x", "fingerprint": "a" * 64, "identity": {}, "groups": {}, "created": "",
        "host": "", "attempts": 1, "wall_s": 0, "engine": "docker", "isolation": "container", "network": "none",
        "outputs": {"../../../../etc/passwd": "0" * 64},
    }  # fmt: skip
    (found.folder / "manifest.json").write_text(json.dumps({"seal": sha256_json(value), "manifest": value}))
    manifest = found.manifest()
    assert manifest is not None
    with pytest.raises(ArtifactEdited, match="was missing by hand"):
        found.verify(manifest, memo=workspace.memo)


@pytest.mark.parametrize("name", JUNK)
def test_records_by_hand_are_no_records(workspace: Workspace, name: str) -> None:
    found = artifact(workspace)
    for file in ("attempt.json", "spec.json", "sources.json"):
        (found.folder / file).write_bytes(JUNK[name])
    view = WorkspaceView(workspace)
    assert view.identities("infer", "x") == []
    assert view.sources("x") is None
    assert view.same_model({"weights": "x"}) == []
    assert found.attempt() is None or isinstance(found.attempt(), dict)


STATE: dict[str, Any] = {
    "run_id": "r-1", "config": "/c.csv", "cwd": "/", "command": ["vlmhb"], "engine": "docker", "pid": 1,
    "pid_start": "0", "host": socket.gethostname(), "started": "", "status": "running", "evaluations": [],
}  # fmt: skip


@pytest.mark.parametrize(
    "state",
    [
        *JUNK.values(),
        *(
            json.dumps({**STATE, **changes}).encode()
            for changes in (
                {"pid": "1; rm -rf /"},
                {"pid": float("inf")},
                {"pid": -1},
                {"pid": 0},
                {"pid": 10**30},
                {"host": None},
                {"status": []},
                {"evaluations": {}},
                {"command": "x"},
                {"config": 5},
            )
        ),
    ],
)
def test_a_run_by_hand_is_told_and_stops_nobody(workspace: Workspace, state: bytes) -> None:
    folder = workspace.run_dir("r-1")
    folder.mkdir(parents=True)
    (folder / "run.json").write_bytes(state)
    assert RunRecord.all(workspace) == []
    for name in ("r-1", None):
        with pytest.raises(UnknownRun, match="the record of r-1 cannot be read"):
            RunRecord.find(workspace, name)


def test_the_process_of_a_run_is_told_by_its_start(workspace: Workspace) -> None:
    """Another one with the same number is not taken for it."""
    folder = workspace.run_dir("r-1")
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(STATE))
    assert RunRecord.find(workspace, "r-1").is_running is False


@pytest.mark.parametrize("name", ["../../etc", "..", "/etc", "a\0b", "a\nb", "", "x" * 4096, "*", "\x1b[2J"])
def test_names_of_runs_are_looked_up_and_never_opened(workspace: Workspace, name: str) -> None:
    folder = workspace.run_dir("r-1")
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(STATE))
    with pytest.raises(UnknownRun) as caught:
        RunRecord.find(workspace, name)
    assert caught.value.line().isprintable()


@pytest.mark.parametrize("name", JUNK)
def test_evaluations_by_hand_are_of_another_version(workspace: Workspace, name: str) -> None:
    folder = workspace.run_dir("r-1")
    folder.mkdir(parents=True)
    (folder / "resolved.json").write_bytes(JUNK[name])
    record = RunRecord(workspace, "r-1")
    try:
        assert record.evaluations() == []
    except UnknownRun as error:
        assert error.line().isprintable()


def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside.jsonl"
    path.write_text(json.dumps({"type": "warning", "message": PRIVATE}) + "\n")
    return path


def test_events_that_are_a_link_are_not_followed(workspace: Workspace, tmp_path: Path) -> None:
    """A stage owns `out/`: what it leaves there must not make the host read for it."""
    found = artifact(workspace)
    found.live_events.symlink_to(outside(tmp_path))
    assert EventTail(found.live_events).read() == []
    found.collect_events()
    assert not any(
        PRIVATE in path.read_text()
        for path in found.folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    )


def in_time(action: Any) -> None:
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "it waits for a pipe"


def test_a_pipe_in_an_output_keeps_nobody_waiting(workspace: Workspace) -> None:
    found = artifact(workspace)
    os.mkfifo(found.live_events)
    os.mkfifo(found.out / "predictions.jsonl")
    in_time(lambda: EventTail(found.live_events).read())
    in_time(found.collect_events)
    in_time(lambda: sync_tree(found.out))
    in_time(lambda: HashMemo(workspace.root / "cache").tree(found.out, links=False))


def test_a_link_in_an_output_is_sealed_as_a_link(workspace: Workspace, tmp_path: Path) -> None:
    found = artifact(workspace)
    (found.out / "x").symlink_to(outside(tmp_path))
    (found.out / "y").symlink_to("/")
    sync_tree(found.out)
    before = workspace.memo.tree(found.out, links=False).files
    outside(tmp_path).write_text("changed")
    assert workspace.memo.tree(found.out, links=False).files == before


def test_an_output_folder_that_is_a_link_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    found = workspace.artifact("prepare", "b" * 64)
    found.folder.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.txt").write_text(PRIVATE)
    found.out.symlink_to(elsewhere)
    found.clear()
    with pytest.raises(ArtifactEdited, match="out is a link"):
        found.begin(spec={}, attempt={})
    assert [path.name for path in elsewhere.iterdir()] == ["mine.txt"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_nothing_is_given_away_through_a_link(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("x")
    (tmp_path / "link").symlink_to(target)
    own_by(tmp_path / "link", user="12345:12345")
    assert target.stat().st_uid == 0


def test_events_of_every_kind_are_news_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = [
        NEST,
        "[]",
        "5",
        '{"type": 5}',
        "\x00",
        '{"type": "progress", "done": NaN}',
        "9" * 5000,
        '{"a": 1',
        "",
    ]
    path.write_text("\n".join(lines) + "\n")
    assert all(isinstance(event, dict) for event in EventTail(path).read())
    assert read_json(path) is None


@pytest.mark.parametrize(
    "ref", ["--privileged", "-v/:/host", "a b", "a;b", "$(id)", "a\nb", "", "x" * 600, "\u202ea"]
)
def test_an_image_is_no_option_of_the_engine(ref: str, tmp_path: Path) -> None:
    from vlmhb.engines.container import ContainerEngine

    class Never(ContainerEngine):
        def cli(self, *words: str, timeout_s: float = 60.0) -> Any:
            raise AssertionError(words)

    with pytest.raises(VlmhbError, match="is no name of an image"):
        resolve_image(ref, engine=Never(name="docker"), workspace=tmp_path, cards={})
