"""How an Apptainer container ended, told from its client's exit code and what was seen meanwhile."""

from __future__ import annotations

import re

from vlmhb.engines.base import TaskExit

FATAL = 255  # no such image, no such program, no permission: all the same code
KILLED = 137
MESSAGE = re.compile(r"^FATAL:\s*(.*)$", re.MULTILINE)
NO_PROGRAM = re.compile(r"executable file not found|stat /\S+: no such file|permission denied$")


def classify(
    *,
    code: int,
    ran: bool,
    vanished: bool,
    stopped: bool,
    memory_kill: bool,
    limit_mib: int | None,
    said: str,
) -> TaskExit:
    """`ran`: the program was seen inside, so 255 may be its own code. `vanished`: its private folder is gone.

    `memory_kill`: a process of the container was killed for memory. `limit_mib`: its limit, where that is in force.
    `said`: the end of what the container and its client wrote."""
    if stopped:
        return TaskExit(code=code, reason="stopped")
    if vanished:
        detail = "the container vanished: ended by another program"
        return TaskExit(code=code, reason="engine_error", detail=detail)
    message = MESSAGE.findall(said) if code == FATAL and not ran else []
    if message:
        text = " ".join(message[-1].split())[:500]
        cannot = "the command cannot be run: " if NO_PROGRAM.search(text) else ""
        return TaskExit(code=code, reason="engine_error", detail=cannot + text)
    if memory_kill:
        limit = f"the limit of {limit_mib} MiB" if limit_mib else "the machine's memory"
        if code == KILLED:
            return TaskExit(code=code, reason="oom", detail=f"out of memory: {limit}")
        detail = f"a process inside was killed: out of memory, {limit}"
        return TaskExit(code=code, reason="child_oom", detail=detail)
    return TaskExit(code=code, reason="exit", detail="killed by SIGKILL" if code == KILLED else "")
