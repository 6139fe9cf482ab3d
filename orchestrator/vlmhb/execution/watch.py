"""Waits for a stage container while tailing its events: progress, hangs, stop requests, restarts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmhb.engines.base import Handle, TaskExit
from vlmhb.execution.session import Session
from vlmhb.progress import EventTail

DRAIN_GRACE_S = 30.0
KILL_GRACE_S = 0.5


@dataclass(kw_only=True)
class Watched:
    """How a stage ended. `fatal` is its own last word, if it had one; `finished`: it said that its work is done."""

    exit: TaskExit
    fatal: dict[str, Any] | None = None
    finished: bool = False
    hung: bool = False
    warnings: list[str] = field(default_factory=list)


def watch(
    handle: Handle,
    *,
    session: Session,
    events: Path,
    on_event: Callable[[dict[str, Any]], None],
    on_tick: Callable[[], None] = lambda: None,
) -> Watched:
    """Returns when the container is gone. A stage without a sign of life for `hung_after_s` is stopped."""
    tail = EventTail(events)
    watched = Watched(exit=TaskExit(code=-1, reason="stopped"))
    last_sign = session.clock()
    drain_until: float | None = None
    while True:
        ended = handle.poll()
        for event in tail.read():
            last_sign = session.clock()
            _note(event, watched)
            on_event(event)
        if ended is not None:
            watched.exit = ended
            return watched
        if session.stop.killing or (drain_until is not None and session.clock() > drain_until):
            handle.stop(grace_s=KILL_GRACE_S)
        elif session.stop.draining:
            if drain_until is None:
                drain_until = session.clock() + DRAIN_GRACE_S
                handle.terminate()
        elif session.clock() - last_sign > session.hung_after_s:
            watched.hung = True
            handle.stop(grace_s=KILL_GRACE_S)
        else:
            on_tick()
        session.sleep(session.tick_s)


def _note(event: dict[str, Any], watched: Watched) -> None:
    if event.get("type") == "fatal":
        watched.fatal = event
    elif event.get("type") == "end":
        watched.finished = True
    elif event.get("type") == "warning":
        watched.warnings.append(str(event.get("message")))
