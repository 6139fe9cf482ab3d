"""What a tree's hash is made of: every file that is there, under the name that it has, and each only once."""

import os
from pathlib import Path
from typing import NoReturn

import pytest
from vlmhb.store.files import sync_tree
from vlmhb.store.hashing import HashMemo, iter_files


def names(root: Path) -> list[str]:
    return [name for name, _ in iter_files(root)]


def test_a_link_that_leads_back_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    (tmp_path / "a" / "b" / "up").symlink_to("..")
    (tmp_path / "a" / "self").symlink_to(tmp_path)
    (tmp_path / "twin").symlink_to("a/b")
    assert names(tmp_path) == ["a/b/file", "twin/file"]


def test_an_artifacts_links_are_hashed_not_followed(tmp_path: Path) -> None:
    out, memo, secret = tmp_path / "out", HashMemo(tmp_path / "memo"), tmp_path / "secret"
    out.mkdir()
    secret.mkdir()
    (secret / "key").write_text("one")
    (out / "answer").write_text("x")
    (out / "file").symlink_to(secret / "key")
    (out / "folder").symlink_to(secret)
    (out / "nowhere").symlink_to(tmp_path / "missing")
    first = memo.tree(out, links=False)
    assert list(first.files) == ["answer", "file", "folder", "nowhere"]
    (secret / "key").write_text("another")
    assert memo.tree(out, links=False) == first
    (out / "file").unlink()
    (out / "file").symlink_to(secret / "other")
    assert memo.tree(out, links=False).sha256 != first.sha256
    sync_tree(out)  # one that leads nowhere stops no seal


def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> NoReturn:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        names(tmp_path)


def test_names_that_are_not_utf8_count_by_their_bytes(tmp_path: Path) -> None:
    data, memo = tmp_path / "data", HashMemo(tmp_path / "memo")
    data.mkdir()
    odd = data / os.fsdecode(b"\xef\xf0\xe8.png")
    odd.write_bytes(b"x")
    first = memo.tree(data)
    assert memo.tree(data) == first
    odd.rename(data / os.fsdecode(b"\xef\xf0\xe9.png"))
    assert memo.tree(data).sha256 != first.sha256
