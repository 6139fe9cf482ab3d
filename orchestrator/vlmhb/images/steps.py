"""One step of a build: a program whose output goes to the build's log, and whose failure is one line."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from vlmhb.command import spawn
from vlmhb.errors import BuildFailed

STEP_S = 3600.0


def run_step(
    argv: Sequence[str],
    *,
    what: str,
    log: Path,
    env: Mapping[str, str] | None = None,
    timeout_s: float = STEP_S,
    hint: str = "",
) -> None:
    """Run `argv` to its end. `env` is added to the caller's. Raises `BuildFailed` with what it said last."""
    start = log.stat().st_size if log.exists() else 0
    try:
        client = spawn(argv, log=log, env={**os.environ, **(env or {})})
    except OSError as error:
        raise BuildFailed(f"{what}: {error}", hint=hint) from error
    try:
        code = client.wait(timeout=timeout_s)
    except BaseException as error:
        # It is in a session of its own, where Ctrl-C does not reach it: it would go on without us.
        os.killpg(client.pid, signal.SIGKILL)
        client.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise BuildFailed(f"{what}: no end after {timeout_s:g} s", where=str(log), hint=hint) from error
        raise
    if code != 0:
        raise BuildFailed(f"{what}: {_last_words(log, start=start)}", where=str(log), hint=hint)


def _last_words(log: Path, *, start: int) -> str:
    """The last line that names an error, or simply the last one."""
    lines = [line.strip() for line in log.read_bytes()[start:].decode("utf-8", "replace").splitlines()]
    lines = [line for line in lines if line]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it said nothing"])[-1][:300]
