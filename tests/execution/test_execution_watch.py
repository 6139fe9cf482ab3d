"""Waiting for a stage: events, hangs, and what Ctrl-C does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scripted import DONE, ScriptedEngine, ScriptedHandle, make_session, tell, ticking
from vlmhb.engines.base import TaskExit
from vlmhb.execution.session import StopSignal
from vlmhb.execution.watch import DRAIN_GRACE_S, watch


def test_events_are_passed_on_and_the_last_ones_are_not_lost(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    handle = ScriptedHandle(
        [
            lambda: tell(tmp_path, {"type": "progress", "done": 1}, {"type": "warning", "message": "odd"}),
            None,
            lambda: tell(tmp_path, {"type": "fatal", "message": "last words"}),
            TaskExit(code=2, reason="exit"),
        ]
    )
    watched = watch(
        handle,
        session=make_session(tmp_path, ScriptedEngine()),
        events=tmp_path / "events.jsonl",
        on_event=seen.append,
    )
    assert [event["type"] for event in seen] == ["progress", "warning", "fatal"]
    assert (watched.exit.code, watched.warnings, watched.hung) == (2, ["odd"], False)
    assert watched.fatal == {"type": "fatal", "message": "last words"}


def test_a_stage_without_a_sign_of_life_is_stopped(tmp_path: Path) -> None:
    handle = ScriptedHandle([])
    session = make_session(tmp_path, ScriptedEngine(), clock=ticking(1.0), hung_after_s=20.0)
    watched = watch(handle, session=session, events=tmp_path / "events.jsonl", on_event=lambda _: None)
    assert watched.hung
    assert handle.calls == ["stop"]


def test_a_slow_stage_that_says_so_is_left_alone(tmp_path: Path) -> None:
    def beat() -> None:
        tell(tmp_path, {"type": "heartbeat"})

    session = make_session(tmp_path, ScriptedEngine(), clock=ticking(1.0), hung_after_s=20.0)
    handle = ScriptedHandle([*[beat, None, None] * 20, DONE])
    watched = watch(handle, session=session, events=tmp_path / "events.jsonl", on_event=lambda _: None)
    assert not watched.hung and handle.calls == []


def test_the_first_stop_request_drains_and_ticks_end(tmp_path: Path) -> None:
    stop = StopSignal()
    session = make_session(tmp_path, ScriptedEngine(), stop=stop)
    ticks: list[int] = []
    handle = ScriptedHandle([None, stop.request, None, TaskExit(code=130, reason="stopped")])
    watched = watch(
        handle,
        session=session,
        events=tmp_path / "events.jsonl",
        on_event=lambda _: None,
        on_tick=lambda: ticks.append(1),
    )
    assert handle.calls == ["terminate"]
    assert watched.exit.code == 130
    assert len(ticks) == 1


@pytest.mark.parametrize("requests", [1, 2])
def test_what_does_not_drain_is_killed(tmp_path: Path, requests: int) -> None:
    stop = StopSignal()
    for _ in range(requests):
        stop.request()
    session = make_session(tmp_path, ScriptedEngine(), stop=stop, clock=ticking(DRAIN_GRACE_S / 4))
    handle = ScriptedHandle([])
    watched = watch(handle, session=session, events=tmp_path / "events.jsonl", on_event=lambda _: None)
    assert handle.calls == (["terminate", "stop"] if requests == 1 else ["stop"])
    assert not watched.hung
