"""The response cache holds answers that can be trusted, once each, whoever dies while writing it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from vlmhb.store.responses import FOLDER_ENV, ResponseCache
from vlmhb_stages.contracts import Prediction, SampleError

MODEL, OTHER = "a" * 64, "b" * 64
FINGERPRINT = "f" * 64


def record(number: int, **changes: Any) -> Prediction:
    base: dict[str, Any] = {
        "sample_id": f'страница "{number}"',
        "request_hash": f"{number:064x}",
        "status": "ok",
        "text": f"text {number}",
    }
    return Prediction.model_validate({**base, **changes})


def journal(path: Path, *records: Prediction, tail: bytes = b"") -> Path:
    path.write_bytes(b"".join(one.model_dump_json().encode() + b"\n" for one in records) + tail)
    return path


def held(cache: ResponseCache, model: str = MODEL) -> list[Prediction]:
    return [Prediction.model_validate_json(line) for line in cache.file(model).read_bytes().splitlines()]


@pytest.fixture
def cache(tmp_path: Path) -> ResponseCache:
    return ResponseCache(folder=tmp_path / "cache" / "responses")


def add(cache: ResponseCache, path: Path, model: str = MODEL) -> int:
    return cache.add(path, fingerprint=FINGERPRINT, model_identity=model)


def test_new_answers_are_added_once_and_say_where_they_are_from(cache: ResponseCache, tmp_path: Path) -> None:
    path = journal(tmp_path / "p.jsonl", record(1), record(2))
    assert add(cache, path) == 2
    assert add(cache, journal(path, record(1), record(3), record(2), record(3, text="later"))) == 1
    assert [one.text for one in held(cache)] == ["text 1", "text 2", "text 3"]
    assert {one.imported_from for one in held(cache)} == {f"cache:{FINGERPRINT}"}
    assert cache.file(MODEL).name == f"{MODEL[:24]}.jsonl"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "truncated"},
        {"status": "refused", "text": None},
        {"status": "error", "text": None, "error": SampleError(kind="timeout", message="x")},
        {"status": "skipped_budget", "text": None},
        {"status": "context_overflow", "text": None},
        {"fallback": "other-model"},
        {"adjusted": ("images at 50 %",)},
        {"imported_from": "e" * 64},
        {"imported_from": "lmms-eval"},
        {"text": None},
        {"text": ""},
    ],
)
def test_what_the_same_request_might_not_get_again_is_never_kept(
    cache: ResponseCache, tmp_path: Path, changes: dict[str, Any]
) -> None:
    assert add(cache, journal(tmp_path / "p.jsonl", record(1, **changes))) == 0
    assert not cache.file(MODEL).exists()


def test_an_interrupted_journal_gives_its_whole_lines(cache: ResponseCache, tmp_path: Path) -> None:
    torn = record(2).model_dump_json().encode()[:-20]
    path = journal(tmp_path / "p.jsonl", record(1), tail=torn)
    assert add(cache, path) == 1
    zeros = record(4).model_dump_json().encode().replace(b"text", b"\0\0\0\0") + b"\n"
    assert add(cache, journal(path, record(3), tail=zeros)) == 1
    assert [one.text for one in held(cache)] == ["text 1", "text 3"]
    assert add(cache, tmp_path / "none.jsonl") == 0


def test_the_half_line_of_a_killed_writer_is_cut(cache: ResponseCache, tmp_path: Path) -> None:
    add(cache, journal(tmp_path / "p.jsonl", record(1)))
    whole = cache.file(MODEL).read_bytes()
    for tail in (whole[:50], b"x" * 200_000):
        cache.file(MODEL).write_bytes(whole + tail)
        assert add(cache, journal(tmp_path / "p.jsonl", record(2))) == 1
        assert [one.text for one in held(cache)] == ["text 1", "text 2"]


def test_models_do_not_mix(cache: ResponseCache, tmp_path: Path) -> None:
    path = journal(tmp_path / "p.jsonl", record(1))
    assert add(cache, path) == add(cache, path, OTHER) == 1
    assert cache.use(MODEL) == cache.file(MODEL) != cache.use(OTHER)
    assert cache.use("c" * 64) is None


def test_several_runs_write_at_once(cache: ResponseCache, tmp_path: Path) -> None:
    def run(number: int) -> None:
        records = [record(n) for n in range(number, number + 40)]
        add(cache, journal(tmp_path / f"{number}.jsonl", *records))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(0, 60, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.request_hash for one in held(cache)) == [record(n).request_hash for n in range(90)]


def test_the_longest_unused_go_first_when_there_is_too_much(tmp_path: Path) -> None:
    size = len(record(1, imported_from=f"cache:{FINGERPRINT}").model_dump_json().encode()) + 1
    cache = ResponseCache(folder=tmp_path / "c", max_bytes=size * 2)
    path = journal(tmp_path / "p.jsonl", record(1))
    for number, model in enumerate("ab"):
        add(cache, path, model * 64)
        os.utime(cache.file(model * 64), (number, number))
    cache.use("a" * 64)  # used again just now
    add(cache, path, "c" * 64)
    assert {path.name[0] for path in cache.folder.glob("*.jsonl")} == {"a", "c"}
    small = ResponseCache(folder=tmp_path / "c", max_bytes=1)
    add(small, journal(path, record(2)), "c" * 64)
    assert not list(cache.folder.glob("*.jsonl"))


def test_the_folder_is_the_workspaces_own_or_a_shared_one(tmp_path: Path) -> None:
    assert ResponseCache.of(tmp_path, env={}).folder == tmp_path / "cache/responses"
    assert ResponseCache.of(tmp_path, env={FOLDER_ENV: ""}).folder == tmp_path / "cache/responses"
    assert ResponseCache.of(tmp_path, env={FOLDER_ENV: str(tmp_path / "s")}).folder == tmp_path / "s"


def test_a_link_in_a_shared_folder_leads_nowhere(cache: ResponseCache, tmp_path: Path) -> None:
    """Who may write there could else have us write into, and open to all, any file of ours."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    precious.chmod(0o600)
    cache.folder.mkdir(parents=True)
    for target in (precious, tmp_path / "not there yet"):
        link = cache.file(MODEL)
        link.symlink_to(target)
        assert cache.use(MODEL) is None
        with pytest.raises(OSError, match=r"plain file|symbolic links"):
            add(cache, journal(tmp_path / "p.jsonl", record(1)))
        link.unlink()
    assert (precious.read_text(), precious.stat().st_mode & 0o777) == ("mine", 0o600)
    assert not (tmp_path / "not there yet").exists()


def test_a_pipe_or_a_folder_in_place_of_the_file_holds_nobody_up(
    cache: ResponseCache, tmp_path: Path
) -> None:
    answers = journal(tmp_path / "p.jsonl", record(1))
    cache.folder.mkdir(parents=True)
    for make in (os.mkfifo, os.mkdir):
        make(cache.file(MODEL))
        assert cache.use(MODEL) is None
        with pytest.raises(OSError, match="plain file"):
            add(cache, answers)
        cache.file(MODEL).rename(tmp_path / make.__name__)
