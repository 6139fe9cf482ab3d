"""`benchmarks fetch` against a hub on loopback: pinned, verified, resumed, and honest about what went wrong."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hub_server import COMMIT, FakeHub
from vlmhb.contracts import BenchmarkCard
from vlmhb.errors import BadCard, BadValue, DownloadFailed, ExitCode, SecretMissing, VlmhbError
from vlmhb.fetching import TRIES, Fetch, Fetched, fetch

BIG = hashlib.sha256(b"seed").digest() * 40_000  # more than one chunk
FILES = {
    "data/test-0.parquet": BIG,
    "data/test-1.parquet": b"second",
    "README.md": b"read me",
    "empty.txt": b"",
}


class Asking:
    """A card for a hub, and what was said and waited while its files were fetched."""

    def __init__(self, hub: FakeHub, workspace: Path) -> None:
        self._hub, self.workspace = hub, workspace
        self.said: list[str] = []
        self.pauses: list[float] = []
        self.env = {"HF_ENDPOINT": hub.url}

    def card(self, **hub: Any) -> BenchmarkCard:
        source = {"repo": self._hub.repo, "revision": COMMIT, "files": ["data/*.parquet"], **hub}
        values = {"name": "docs", "loader": "parquet", "path": "docs", "hub": source, "origin": "docs.yaml"}
        return BenchmarkCard.model_validate(values)

    def fetch(
        self, card: BenchmarkCard | None = None, *, token: str | None = None, update: bool = False
    ) -> Fetched:
        asked = Fetch(card=card or self.card(), workspace=self.workspace, token=token, update=update)
        return fetch(asked, env=self.env, home=self.workspace, say=self.said.append, pause=self.pauses.append)

    def failed(self, card: BenchmarkCard | None = None, *, token: str | None = None) -> str:
        with pytest.raises(VlmhbError) as caught:
            self.fetch(card, token=token)
        line = caught.value.line()
        assert "\n" not in line
        return line

    def file(self, name: str) -> Path:
        return self.workspace / "datasets/docs" / name

    def coming(self, name: str) -> Path:
        return self.workspace / "datasets/.fetched/docs/docs" / name


@pytest.fixture
def hub() -> Any:
    with FakeHub(files=dict(FILES), large={"data/test-0.parquet"}) as hub:
        yield hub


@pytest.fixture
def asking(hub: FakeHub, tmp_path: Path) -> Asking:
    return Asking(hub, tmp_path)


def downloads(hub: FakeHub) -> list[str]:
    return [path.rpartition("/")[2] for path, _, _ in hub.requests if "/resolve/" in path]


def test_the_files_of_the_card_come_under_its_path_once(hub: FakeHub, asking: Asking) -> None:
    done = asking.fetch()
    assert (done.loaded, done.revision, done.folder) == (2, COMMIT, asking.workspace / "datasets/docs")
    assert {path.name for path in (asking.workspace / "datasets/docs").rglob("*") if path.is_file()} == {
        "test-0.parquet",
        "test-1.parquet",
    }
    assert asking.file("data/test-0.parquet").read_bytes() == BIG
    told = json.loads((asking.workspace / "datasets/.fetched/docs.json").read_text(encoding="utf-8"))
    assert (told["revision"], told["files"][0]["sha256"]) == (COMMIT, hashlib.sha256(BIG).hexdigest())
    hub.requests.clear()
    assert asking.fetch().loaded == 0
    assert downloads(hub) == []


def test_a_file_that_was_changed_here_comes_again(hub: FakeHub, asking: Asking) -> None:
    asking.fetch()
    asking.file("data/test-1.parquet").write_bytes(b"SECOND")
    assert asking.fetch().loaded == 1
    assert asking.file("data/test-1.parquet").read_bytes() == b"second"


def test_a_path_that_is_the_file_itself(asking: Asking) -> None:
    card = asking.card(files=["data/test-1.parquet"]).model_copy(update={"path": "one/test-1.parquet"})
    asking.fetch(card)
    assert (asking.workspace / "datasets/one/test-1.parquet").read_bytes() == b"second"


def test_small_and_empty_files_and_a_listing_of_many_pages(hub: FakeHub, asking: Asking) -> None:
    hub.page = 1
    done = asking.fetch(asking.card(files=["*"]))
    assert done.loaded == 4
    assert asking.file("empty.txt").read_bytes() == b""
    assert asking.file("README.md").read_bytes() == b"read me"


def test_a_cut_connection_goes_on_from_where_it_was(hub: FakeHub, asking: Asking) -> None:
    hub.cuts = [700_000, 300_000]
    asking.fetch(asking.card(files=["data/test-0.parquet"]))
    assert [wanted for path, wanted, _ in hub.requests if "/resolve/" in path] == [
        None,
        "bytes=700000-",
        "bytes=1000000-",
    ]
    assert asking.file("data/test-0.parquet").read_bytes() == BIG
    assert sum("cut off at" in line for line in asking.said) == 2
    assert asking.pauses == [0.0, 0.0]


def test_an_interrupted_command_goes_on_too(hub: FakeHub, asking: Asking) -> None:
    part = asking.coming("data/test-0.parquet.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(BIG[:500_000])
    asking.fetch(asking.card(files=["data/test-0.parquet"]))
    assert [wanted for path, wanted, _ in hub.requests if "/resolve/" in path] == ["bytes=500000-"]
    assert asking.file("data/test-0.parquet").read_bytes() == BIG
    assert not part.exists()


def test_half_a_dataset_is_never_in_its_place(hub: FakeHub, asking: Asking) -> None:
    hub.lies = {"data/test-1.parquet"}
    asking.failed()
    assert not asking.file("").exists()
    assert asking.coming("data/test-0.parquet").read_bytes() == BIG
    hub.lies.clear()
    hub.requests.clear()
    assert asking.fetch().loaded == 2
    assert downloads(hub) == ["test-1.parquet"]
    assert asking.file("data/test-0.parquet").read_bytes() == BIG
    assert not asking.coming("").exists()


def test_a_server_that_cannot_go_on_starts_again(hub: FakeHub, asking: Asking) -> None:
    hub.cuts, hub.ranges = [700_000], False
    asking.fetch(asking.card(files=["data/test-0.parquet"]))
    assert asking.file("data/test-0.parquet").read_bytes() == BIG


def test_after_some_tries_without_a_byte_it_gives_up_and_keeps_what_there_is(
    hub: FakeHub, asking: Asking
) -> None:
    hub.cuts = [1000] + [0] * 20
    line = asking.failed(asking.card(files=["data/test-0.parquet"]))
    assert line.startswith(f"VHB208: cut off at 1000 of {len(BIG)} bytes")
    assert "the same command goes on" in line
    assert asking.coming("data/test-0.parquet.part").stat().st_size == 1000
    assert not asking.file("").exists()
    assert len(downloads(hub)) == TRIES + 1
    assert asking.pauses == [0.0, 1.0, 4.0, 9.0, 10.0]


def test_a_busy_hub_is_asked_again(hub: FakeHub, asking: Asking) -> None:
    hub.busy = [503, 429]
    asking.fetch(asking.card(files=["data/test-1.parquet"]))
    assert asking.file("data/test-1.parquet").read_bytes() == b"second"
    assert "the hub answers 503" in asking.said[1]


@pytest.mark.parametrize("name", ["data/test-0.parquet", "data/test-1.parquet"])
def test_a_wrong_hash_is_thrown_away(hub: FakeHub, asking: Asking, name: str) -> None:
    hub.lies = {name}
    line = asking.failed(asking.card(files=[name]))
    assert "the file is not the one that the hub lists" in line
    assert not asking.file("").exists()
    assert not asking.coming(f"{name}.part").exists()


def test_wrong_names(hub: FakeHub, asking: Asking) -> None:
    line = asking.failed(asking.card(repo="owner/other"))
    assert line.startswith("VHB208: the hub has nothing there (404)")
    assert "hub.revision" in line
    line = asking.failed(asking.card(files=["data/*.parquet", "val/*"]))
    assert "owner/docs has no file val/* at that revision" in line
    assert "data/test-0.parquet" in line
    assert downloads(hub) == []


def test_an_account_is_needed(hub: FakeHub, asking: Asking) -> None:
    hub.token = "hf_right"
    line = asking.failed()
    assert "the hub asks for an account (401)" in line
    assert "--token secret:HF_TOKEN" in line
    asking.env["HF_TOKEN"] = "hf_wrong"
    assert "does not let this token in (401)" in asking.failed(token="secret:HF_TOKEN")
    asking.env["HF_TOKEN"] = "hf_right"
    assert asking.fetch(token="secret:HF_TOKEN").loaded == 2
    stored = b"".join(path.read_bytes() for path in asking.workspace.rglob("*") if path.is_file())
    assert b"hf_right" not in stored
    assert not any("hf_right" in line for line in asking.said)


def test_the_token_stays_with_the_hub(hub: FakeHub, asking: Asking) -> None:
    hub.token = asking.env["HF_TOKEN"] = "hf_right"
    with FakeHub(files=dict(FILES)) as store:
        hub.elsewhere, hub.cuts, store.cuts = store.url, [], [600_000]
        asking.fetch(asking.card(files=["data/test-0.parquet"]), token="secret:HF_TOKEN")
        assert [authorization for _, _, authorization in store.requests] == [None, None]
        assert [wanted for _, wanted, _ in store.requests] == [None, "bytes=600000-"]
    assert asking.file("data/test-0.parquet").read_bytes() == BIG


@pytest.mark.parametrize(("token", "error"), [("hf_itself", BadValue), ("secret:HF_ABSENT", SecretMissing)])
def test_only_a_reference_to_a_token_is_taken(
    hub: FakeHub, asking: Asking, token: str, error: type[VlmhbError]
) -> None:
    with pytest.raises(error) as caught:
        asking.fetch(token=token)
    assert "hf_itself" not in caught.value.line()
    assert hub.requests == []


@pytest.mark.parametrize(
    ("endpoint", "error"),
    [
        ("ftp://127.0.0.1", BadValue),
        ("not an address", BadValue),
        ("http://hub.example", BadValue),  # with a token, unencrypted
        ("http://127.0.0.1:9", DownloadFailed),
    ],
)
def test_endpoints(asking: Asking, endpoint: str, error: type[VlmhbError]) -> None:
    asking.env |= {"HF_ENDPOINT": endpoint, "T": "x"}
    with pytest.raises(error) as caught:
        asking.fetch(token="secret:T")
    if error is DownloadFailed:
        assert caught.value.exit_code == ExitCode.CANNOT_START
        assert "without a network copy the files here" in caught.value.line()


@pytest.mark.parametrize(
    ("listing", "why"),
    [
        (b"<html>", "no list of files"),
        (b'{"error": 1}', "no list of files"),
        (
            b'[{"type": "file", "path": "data/../../evil.parquet", "size": 1, "oid": "x"}]',
            "leads out of the folder",
        ),
    ],
)
def test_a_hub_that_talks_nonsense(hub: FakeHub, asking: Asking, listing: bytes, why: str) -> None:
    hub.raw_listing = listing
    assert why in asking.failed()


@pytest.mark.parametrize("update", [{"hub": None}, {"path": None}, {"path": "../out"}, {"path": "/out"}])
def test_a_card_that_does_not_say_what_or_where(asking: Asking, update: dict[str, Any]) -> None:
    with pytest.raises(BadCard) as caught:
        asking.fetch(asking.card().model_copy(update=update))
    assert "docs.yaml" in caught.value.line()


def test_a_branch_is_pinned_by_the_first_fetch(hub: FakeHub, asking: Asking) -> None:
    card = asking.card(revision="main")
    assert asking.fetch(card).revision == COMMIT
    assert asking.said[0] == f"owner/docs 'main' is {COMMIT[:12]} now; later fetches keep to it"
    hub.branches["main"] = "f" * 40
    again = asking.fetch(card)
    assert (again.revision, again.loaded) == (COMMIT, 0)
    assert any("as before" in line for line in asking.said)


def test_update_takes_what_the_branch_is_now(hub: FakeHub, asking: Asking) -> None:
    card = asking.card(revision="main")
    asking.fetch(card)
    hub.revision = hub.branches["main"] = "f" * 40
    hub.files["data/test-1.parquet"] = b"another"
    done = asking.fetch(card, update=True)
    assert (done.revision, done.loaded) == ("f" * 40, 1)
    assert asking.file("data/test-1.parquet").read_bytes() == b"another"
    record = json.loads((asking.workspace / "datasets/.fetched/docs.json").read_text())
    assert (record["asked"], record["revision"]) == ("main", "f" * 40)


def test_a_branch_that_is_not_there_and_an_answer_without_commit(hub: FakeHub, asking: Asking) -> None:
    assert "404" in asking.failed(asking.card(revision="gone"))
    hub.branches["odd"] = "main"
    assert "names no commit" in asking.failed(asking.card(revision="odd"))


def test_the_command(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    source = {"repo": hub.repo, "revision": COMMIT, "files": ["data/*"]}
    card = {"name": "fetched", "loader": "parquet", "path": "fetched", "hub": source}
    (tmp_path / "cards/fetched.yaml").write_text(json.dumps(card), encoding="utf-8")
    argv = [sys.executable, "-m", "vlmhb", "benchmarks", "fetch"]
    options = ["--cards", "cards", "--workspace", "ws", "--json"]
    env = {"HF_ENDPOINT": hub.url, "PATH": "/usr/bin:/bin"}

    def run(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*argv, name, *options], capture_output=True, text=True, cwd=tmp_path, env=env, check=False
        )

    done = run("fetched")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["loaded"] == 2
    assert (tmp_path / "ws/datasets/fetched/data/test-0.parquet").read_bytes() == BIG
    hub.revision = "other"
    refused = run("fetched")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (3, 1)
    assert json.loads(refused.stdout)["errors"][0]["code"] == "VHB208"
    assert run("absent").returncode == 2
