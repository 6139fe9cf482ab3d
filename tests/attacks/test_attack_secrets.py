"""A key that a server sends back in every way: it is in no file, argument, environment, description, report or line.

A key that no server repeats, and keys written into configs: tests/acceptance/test_acceptance_secrets.py."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from e2e_api import Api
from e2e_world import World

CANARY = "sk-canary-echoed-9c41d7e2b3"
ECHOES: dict[str, tuple[int, object]] = {
    "denied": (401, {"error": {"message": f"Incorrect API key provided: {CANARY}", "code": CANARY}}),
    "broken": (500, {"error": {"message": f"request with Bearer {CANARY} failed", "type": CANARY}}),
    "plain": (503, f"<html><b>{CANARY}</b></html>"),
    "inside": (200, {"error": {"message": CANARY}}),
    "answer": (
        200, {"choices": [{"message": {"content": f"key {CANARY}"}, "finish_reason": CANARY}], "model": CANARY},
    ),
    "shape": (200, {"choices": [{"message": CANARY}], CANARY: CANARY}),
}  # fmt: skip


def card(world: World, api: Api) -> None:
    world.make_cards(
        {"page-model": {}},
        interface="openai",
        image=None,
        class_path=None,
        path=None,
        network="egress",
        base_url=api.url,
        api_key="secret:CANARY_ECHO",
        retry={"attempts": 2, "base_s": 0.01, "max_s": 0.02},
        breaker={"failures": 1000},
    )


def processes(name: str) -> bytes:
    """`cmdline` or `environ` of all that run, but for this one, which may have been given the key by its user."""
    found = b""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found += (folder / name).read_bytes()
        except OSError:
            continue
    return found


def described(engine: str) -> bytes:
    if engine == "process":
        return b""
    names = subprocess.run([engine, "ps", "-q"], capture_output=True, text=True, check=True).stdout.split()
    return (
        subprocess.run([engine, "inspect", *names], capture_output=True, check=False).stdout if names else b""
    )


def holding(*folders: Path) -> list[str]:
    found = []
    for top in folders:
        for base, below, files in os.walk(top):
            below[:] = [name for name in below if name != "envs"]
            paths = (Path(base, name) for name in files)
            found += [str(path) for path in paths if path.is_file() and CANARY.encode() in path.read_bytes()]
    return found


@pytest.mark.parametrize("source", ["variable", "file"])
def test_a_key_that_comes_back_stays_nowhere(world: World, api: Api, tmp_path: Path, source: str) -> None:
    world.make(pages=len(ECHOES), questions=dict(enumerate(ECHOES)))
    card(world, api)
    kept = tmp_path / "secrets-of-the-user"
    if source == "variable":
        world.env["CANARY_ECHO"] = CANARY
    else:
        kept.mkdir()
        (kept / "CANARY_ECHO").write_text(CANARY + "\n")
        world.env["VLMHB_SECRETS_DIR"] = str(kept)
    looked: list[bytes] = []

    def look(question: str) -> tuple[int, object, dict[str, str]]:
        looked.append(processes("cmdline") + described(world.engine))
        if source == "file":
            looked.append(processes("environ"))
        status, body = next(echo for name, echo in ECHOES.items() if name in question)
        return status, body, {"X-Echo": CANARY}

    api.behave = look
    done = world.call("--json")
    assert done.returncode == 4, done.stderr
    assert {headers.get("Authorization") for headers in api.headers} == {f"Bearer {CANARY}"}
    assert len(looked) >= len(ECHOES)
    assert not any(CANARY.encode() in text for text in looked)
    assert CANARY not in done.stdout + done.stderr
    (kept / "CANARY_ECHO").unlink(missing_ok=True)
    assert holding(tmp_path, *Path("/dev/shm").glob("vlmhb-secret-*")) == []
    report = next((world.workspace / "runs").glob("*/report/report.html")).read_text(encoding="utf-8")
    assert "***" in report  # that something was hidden is seen
