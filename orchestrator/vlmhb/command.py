"""The one place where the host starts a program, to its end or beside itself: argv lists, never a shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.code == 0


Run = Callable[[Sequence[str]], CommandResult]  # `run_command`, or what stands for it in a test


def run_command(
    argv: Sequence[str],
    *,
    timeout_s: float = 60.0,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    input_text: str | None = None,
) -> CommandResult:
    """Run `argv` to its end. `env` is added to the caller's.

    A program that is not there gives code 127, one that outlives `timeout_s` is killed and gives 124."""
    try:
        done = subprocess.run(
            list(argv),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env={**os.environ, **env} if env is not None else None,
            cwd=cwd,
            input=input_text,
            check=False,
        )
    except FileNotFoundError as error:
        return CommandResult(argv=tuple(argv), code=127, stdout="", stderr=str(error))
    except subprocess.TimeoutExpired:
        return CommandResult(argv=tuple(argv), code=124, stdout="", stderr=f"no end after {timeout_s:g} s")
    return CommandResult(argv=tuple(argv), code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def spawn(
    argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start `argv` and return at once; stdout and stderr are appended to `log`.

    It gets a session of its own, so that Ctrl-C in the terminal does not reach it. `env`, where given, is its
    whole environment. Raises `OSError` when the program cannot be started."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            start_new_session=True,
        )
