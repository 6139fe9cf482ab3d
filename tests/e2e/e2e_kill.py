"""Killing parts of a run with SIGKILL: the orchestrator, the driver, the model server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from e2e_world import World

COMMAND = {"driver": "infer", "server": "serve"}
LABEL = {"driver": "infer", "server": "server"}


def answered(world: World) -> int:
    """Lines in the journals of all infer artifacts of the workspace."""
    journals = (world.workspace / "artifacts" / "infer").glob("*/out/predictions.jsonl")
    return sum(path.read_bytes().count(b"\n") for path in journals)


def wait_for(condition: Callable[[], bool], *, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def kill_part(world: World, part: str) -> bool:
    """SIGKILL to one part of this world's run; False when it is not there (any more)."""
    return _kill_container(world, part) if world.engine != "process" else _kill_process(world, part)


def _kill_container(world: World, part: str) -> bool:
    workspace_id = json.loads((world.workspace / "cache" / "workspace.json").read_text())["id"]
    filters = [f"label=org.vlmhb.workspace={workspace_id}", f"label=org.vlmhb.role={LABEL[part]}"]
    found = subprocess.run(
        [world.engine, "ps", "-q", *(word for text in filters for word in ("--filter", text))],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    killed = [
        subprocess.run([world.engine, "kill", name], capture_output=True, check=False) for name in found
    ]
    return any(done.returncode == 0 for done in killed)


def _kill_process(world: World, part: str) -> bool:
    """Only processes whose private folder links into this world's workspace."""
    killed = False
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environment = dict(
                entry.split(b"=", 1)
                for entry in (folder / "environ").read_bytes().split(b"\0")
                if b"=" in entry
            )
        except OSError:
            continue
        root = environment.get(b"VLMHB_ROOT", b"").decode()
        if not root or COMMAND[part].encode() not in words or b"python" not in words[0]:
            continue
        mine = Path(root, "spec.json" if part == "driver" else "model.json").resolve()
        if mine.is_relative_to(world.workspace.resolve()):
            os.kill(int(folder.name), signal.SIGKILL)
            killed = True
    return killed
