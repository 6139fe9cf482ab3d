"""R8, V7: a canary token appears in no file, argument, container description or log."""

import os
import subprocess
from pathlib import Path

import pytest
from e2e_api import Api
from e2e_world import World
from test_acceptance_reuse import api_card

CANARY = "sk-canary-6f1d2c3b4a"


def arguments_of_all_processes() -> bytes:
    found = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += path.read_bytes()
        except OSError:
            continue
    return found


def test_r8_v7_the_key_reaches_the_server_and_nothing_else(world: World, api: Api) -> None:
    world.make(pages=3, questions={1: "the bad one"})
    api_card(world, api, api_key="secret:CANARY_KEY", retry={"attempts": 2, "base_s": 0.01, "max_s": 0.02})
    world.env["CANARY_KEY"] = CANARY
    seen: list[bytes] = []

    def look(question: str) -> tuple[int, object, dict[str, str]] | None:
        seen.append(arguments_of_all_processes())
        if world.engine != "process":
            names = subprocess.run(
                [world.engine, "ps", "-q"], capture_output=True, text=True, check=True
            ).stdout.split()
            for name in names:
                seen.append(
                    subprocess.run([world.engine, "inspect", name], capture_output=True, check=False).stdout
                )
        return (500, {"error": {"message": "boom"}}, {}) if "bad one" in question else None

    api.behave = look
    done = world.call("--json")
    assert done.returncode == 4, done.stderr
    assert api.headers[0]["Authorization"] == f"Bearer {CANARY}"
    assert len(seen) >= 4
    assert not any(CANARY.encode() in text for text in seen)
    assert CANARY not in done.stdout + done.stderr
    assert holding(world.root) == []
    assert [path for path in Path("/dev/shm").glob("vlmhb-secret-*") if holding(path)] == []


def holding(folder: Path) -> list[Path]:
    found = []
    for base, _, files in os.walk(folder):
        if "/envs" in base:
            continue
        for name in files:
            path = Path(base, name)
            if path.is_file() and CANARY.encode() in path.read_bytes():
                found.append(path)
    return found


def test_a_plan_shows_no_key_and_needs_none(process_world: World, api: Api) -> None:
    process_world.make(pages=1)
    api_card(process_world, api, api_key="secret:CANARY_KEY")
    process_world.env["CANARY_KEY"] = CANARY
    done = process_world.call("--explain", command="plan")
    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stdout + done.stderr


def test_a_missing_secret_is_one_line(process_world: World, api: Api) -> None:
    process_world.make(pages=1)
    api_card(process_world, api, api_key="secret:NOT_SET_ANYWHERE")
    done = process_world.call()
    assert done.returncode == 3
    assert "VHB304: secret 'NOT_SET_ANYWHERE' is not set" in done.stderr
    assert api.requests == []


@pytest.mark.parametrize("value", ["sk-live-123", CANARY])
def test_a_key_written_into_a_config_is_refused_unseen(process_world: World, value: str) -> None:
    process_world.make(pages=1)
    process_world.config({"dataset": "pages", "model_name": "page-model", "api_key": value})
    done = process_world.call()
    assert done.returncode == 2
    assert "VHB109" in done.stderr
    assert value not in done.stdout + done.stderr
