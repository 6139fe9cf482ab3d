"""Progress in the run's events.jsonl: read back by `status`, and never in the way."""

from __future__ import annotations

import json
from pathlib import Path

from vlmhb.progress import Counted
from vlmhb.progress.plain import PlainProgress
from vlmhb.progress.recorded import RecordedProgress, latest


def recorded(path: Path, said: list[str] | None = None) -> RecordedProgress:
    lines = said if said is not None else []
    return RecordedProgress(PlainProgress(say=lines.append), path=path, clock=lambda: 12.3456, pid=7)


def test_everything_is_shown_and_kept(tmp_path: Path) -> None:
    said: list[str] = []
    with recorded(tmp_path / "events.jsonl", said) as progress:
        progress.stage_started("e", "infer", "why")
        progress.stage_ended("e", "infer", "done", "2 s")
        progress.message("text")
    assert said == ["e infer: started (why)", "e infer: done (2 s)", "text"]
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [event["type"] for event in events] == ["start", "stage_started", "stage_ended", "message"]
    assert events[0] == {"t": 12.346, "type": "start", "pid": 7}


def test_where_it_stands_is_told_for_the_last_run_only(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert latest(path) == {}
    first = recorded(path)
    first.stage_started("old", "infer", "")
    second = recorded(path)
    second.stage_started("e", "prepare", "")
    second.stage_ended("e", "prepare", "done", "")
    second.stage_started("e", "infer", "")
    second.update("e", Counted(done=1, total=2, ok=1, error=0))
    second.stage_ended("f", "prepare", "reused", "")
    counts = {"done": 1, "total": 2, "ok": 1, "error": 0, "skipped": 0, "retries": 0}
    assert latest(path) == {
        "e": {"stage": "infer", "state": "running", **counts},
        "f": {"stage": "prepare", "state": "reused"},
    }


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    recorded(tmp_path / "absent" / "events.jsonl", said).message("text")
    assert said == ["text"]
