"""Secrets: found by reference, delivered as private files, gone afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from vlmhb import secrets
from vlmhb.engines.users import task_user
from vlmhb.errors import ExitCode, SecretMissing

CANARY = "canary-5f3a"


@pytest.fixture
def tmpfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(secrets, "TMPFS", folder)
    return folder


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "KEY").write_text(f"{CANARY}\n")
    env = {"VLMHB_SECRETS_DIR": str(tmp_path)}
    assert secrets.lookup("secret:KEY", env=env, home=tmp_path) == CANARY
    assert secrets.lookup("secret:KEY", env={**env, "KEY": "other"}, home=tmp_path) == "other"
    home = tmp_path / ".config" / "vlmhb" / "secrets"
    home.mkdir(parents=True)
    (home / "HOME_KEY").write_text(CANARY)
    assert secrets.lookup("secret:HOME_KEY", env={}, home=tmp_path) == CANARY


def test_a_missing_secret_names_the_places(tmp_path: Path) -> None:
    with pytest.raises(SecretMissing, match="secret 'KEY' is not set; hint: set the variable KEY") as caught:
        secrets.lookup("secret:KEY", env={"OTHER": CANARY}, home=tmp_path)
    assert caught.value.exit_code == ExitCode.CANNOT_START
    assert CANARY not in str(caught.value)


def test_delivered_as_0400_in_0700_and_gone_after(tmpfs: Path) -> None:
    with secrets.delivered({"api_key": CANARY}, user=task_user()) as folder:
        assert folder.parent == tmpfs
        assert folder.stat().st_mode & 0o777 == 0o700
        file = folder / "api_key"
        assert file.stat().st_mode & 0o777 == 0o400
        assert file.read_text() == CANARY
        uid = int(task_user().partition(":")[0])
        assert {folder.stat().st_uid, file.stat().st_uid} == {uid}
        assert CANARY not in folder.name
    assert list(tmpfs.iterdir()) == []


def test_gone_after_a_fault_too(tmpfs: Path) -> None:
    with pytest.raises(RuntimeError), secrets.delivered({"api_key": CANARY}, user=task_user()):
        raise RuntimeError
    assert list(tmpfs.iterdir()) == []


def test_what_a_killed_run_left_is_swept(tmpfs: Path) -> None:
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    dead = tmpfs / f"{secrets.STEM}{namespace}-4194999-12-abc"
    dead.mkdir()
    (dead / "api_key").write_text(CANARY)
    with secrets.delivered({}, user=task_user()) as folder:
        assert list(tmpfs.iterdir()) == [folder]
