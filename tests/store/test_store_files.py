"""Durable files and hashes."""

import os
import threading
from pathlib import Path

import pytest
from vlmhb.store.files import create_once, read_json, write_atomic, write_json
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


def test_of_several_first_writers_one_wins_for_good(tmp_path: Path) -> None:
    target = tmp_path / "id"
    threads = [threading.Thread(target=create_once, args=(target, str(n).encode())) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = target.read_bytes()
    create_once(target, b"late")
    assert target.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["id"]


def test_threads_that_hash_the_same_tree_do_not_disturb_each_other(tmp_path: Path) -> None:
    memo = HashMemo(tmp_path / "memo")
    data = tmp_path / "data"
    data.mkdir()
    for number in range(20):
        (data / str(number)).write_text(str(number))
    faults: list[Exception] = []

    def look() -> None:
        try:
            for _ in range(10):
                for path in (tmp_path / "memo").glob("*.json"):
                    path.unlink(missing_ok=True)
                memo.tree(data)
        except OSError as error:
            faults.append(error)

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_a_file_that_vanishes_while_its_folder_is_hashed_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("a")
    listed = [("a", data / "a"), ("b", data / "b")]
    monkeypatch.setattr("vlmhb.store.hashing.iter_files", lambda _root, **_options: iter(listed))
    assert set(HashMemo(tmp_path / "memo").tree(data).files) == {"a"}


def test_the_mode_holds_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_json(tmp_path / "spec.json", {})
    finally:
        os.umask(before)
    assert (tmp_path / "spec.json").stat().st_mode & 0o777 == 0o644
