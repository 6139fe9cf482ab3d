"""How a container ended, told from the engine's record of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmhb.engines.base import EndReason, TaskExit

KILLED = 137
ENGINE_FAULT = 125
NO_PROGRAM = (1, 126, 127)  # catatonit says 1, tini and the engines 126 or 127
ENGINE_MESSAGE = re.compile(r"(?im)^(?:docker:|error:).*$")
INIT_MESSAGE = re.compile(r"(?m)^(?:\[FATAL tini|ERROR \(catatonit).*?(?:\)\]?:?) (.*failed.*)$")
TAIL_BYTES = 4096


def classify(
    *,
    state: Mapping[str, Any] | None,
    client_code: int,
    stopped: bool,
    oom_mark: bool,
    memory_mib: int | None,
    said: str,
) -> TaskExit:
    """`state` is the engine's `State`: empty when no container was made, None when it has vanished.

    `oom_mark`: Podman's monitor left its file `oom`, as some versions do in place of `OOMKilled`.
    `said`: the end of what the container and the engine's client wrote."""
    if state is None:
        detail = "the container vanished: removed by another program, or the engine was stopped"
        return TaskExit(code=KILLED, reason="stopped" if stopped else "engine_error", detail=detail)
    error = _one_line(str(state.get("Error") or ""))
    never_ran = state.get("Status") in (None, "created", "configured", "initialized")
    if never_ran and not stopped:
        code = client_code if client_code > 0 else ENGINE_FAULT
        return TaskExit(code=code, reason="engine_error", detail=error or _engine_message(said))
    code = int(state.get("ExitCode", client_code))
    if state.get("OOMKilled") or oom_mark:
        return _out_of_memory(code=code, memory_mib=memory_mib)
    if code in NO_PROGRAM and (found := INIT_MESSAGE.search(said)):
        return TaskExit(
            code=code, reason="engine_error", detail=f"the command cannot be run: {found[1].strip()}"
        )
    reason: EndReason = "stopped" if stopped else "exit"
    killed = code == KILLED and not stopped
    return TaskExit(code=code, reason=reason, detail="killed by SIGKILL" if killed else error)


def _out_of_memory(*, code: int, memory_mib: int | None) -> TaskExit:
    limit = f"the limit of {memory_mib} MiB" if memory_mib else "the machine's memory"
    if code == KILLED:
        return TaskExit(code=code, reason="oom", detail=f"out of memory: {limit}")
    return TaskExit(
        code=code, reason="child_oom", detail=f"a process inside was killed: out of memory, {limit}"
    )


def tail(log: Path, *, start: int) -> str:
    """The last part of `log` that was written after byte `start`."""
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - TAIL_BYTES))
        return file.read().decode("utf-8", errors="replace")


def _engine_message(said: str) -> str:
    found = ENGINE_MESSAGE.findall(said)
    return _one_line(found[-1]) if found else "the engine gave no reason"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]
