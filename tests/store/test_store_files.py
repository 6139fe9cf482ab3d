"""Durable files and hashes."""

import os
from pathlib import Path

import pytest
from vlmhb.store.files import read_json, write_atomic, write_json
from vlmhb.store.hashing import HashMemo, canonical_json, sha256_file, sha256_json


def test_write_atomic_replaces_whole_files_and_leaves_no_temporary(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    write_json(target, {"old": 1})
    write_atomic(target, b"new")
    assert target.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a"
    write_atomic(target, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_torn_json_reads_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "torn").write_text('{"a": ')
    assert read_json(tmp_path / "torn") is None
    assert read_json(tmp_path / "absent") is None


def test_canonical_json_does_not_depend_on_key_order_and_keeps_cyrillic() -> None:
    assert canonical_json({"б": 1, "a": [1.5, None]}) == '{"a":[1.5,null],"б":1}'.encode()
    assert sha256_json({"a": 1, "b": 2}) == sha256_json({"b": 2, "a": 1})


def test_tree_hash_sees_content_names_and_nothing_else(tmp_path: Path) -> None:
    memo = HashMemo(tmp_path / "memo")
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "sub" / "a.txt").write_text("one")
    first = memo.tree(data)
    assert first.files == {"sub/a.txt": sha256_file(data / "sub" / "a.txt")}
    os.utime(data / "sub" / "a.txt", (1, 1))
    assert memo.tree(data).sha256 == first.sha256
    (data / "sub" / "a.txt").write_text("two")
    assert memo.tree(data).sha256 != first.sha256


def test_an_edit_that_restores_size_and_mtime_is_seen(tmp_path: Path) -> None:
    memo = HashMemo(tmp_path / "memo")
    data = tmp_path / "data"
    data.mkdir()
    page = data / "page.bin"
    page.write_bytes(b"aaaa")
    stat = page.stat()
    before = memo.tree(data).sha256
    page.write_bytes(b"bbbb")
    os.utime(page, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert memo.tree(data).sha256 != before


def test_unchanged_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memo = HashMemo(tmp_path / "memo")
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("x")
    expected = memo.tree(data)

    def read_again(path: Path) -> str:
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr("vlmhb.store.hashing.sha256_file", read_again)
    assert memo.tree(data) == expected
