"""Progress lines, bars, rates and the tail of an events file, with a clock that stands still until told."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import pytest
from vlmhb.console import Console
from vlmhb.progress import Counted, EventTail, PlainProgress, make_progress
from vlmhb.progress.live import RichProgress
from vlmhb.progress.meter import Meter, duration, speed


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def update(view: PlainProgress | RichProgress, *, done: int, total: int = 24, error: int = 0) -> None:
    view.update("docs-qwen", Counted(done=done, total=total, ok=done - error, error=error))


# --- plain -------------------------------------------------------------------------------------


def test_plain_lines_of_a_run() -> None:
    lines: list[str] = []
    clock = Clock()
    with PlainProgress(say=lines.append, clock=clock) as view:
        view.stage_ended("docs-qwen", "prepare", "reused", "same fingerprint")
        view.stage_started("docs-qwen", "infer", "no artifact yet")
        clock.now += 1
        update(view, done=2)
        clock.now += 8
        update(view, done=10)
        clock.now += 1.5
        update(view, done=12, error=1)
        clock.now += 4
        update(view, done=20, error=1)
        view.message("the model server died (exit code 1), starting it again")
        view.stage_ended("docs-qwen", "infer", "failed", "VHB502: the model died")
    assert lines == [
        "docs-qwen prepare: reused (same fingerprint)",
        "docs-qwen infer: started (no artifact yet)",
        "docs-qwen infer: 12/24, 11 ok, 1 failed, 1.1/s, 11 s left",
        "the model server died (exit code 1), starting it again",
        "docs-qwen infer: failed: VHB502: the model died",
    ]


def test_plain_tells_at_most_one_progress_line_in_ten_seconds_for_each_evaluation() -> None:
    lines: list[str] = []
    clock = Clock()
    view = PlainProgress(say=lines.append, clock=clock)
    for name in ("a", "b"):
        view.stage_started(name, "infer", "")
    for done in range(1, 31):
        clock.now += 1
        for name in ("a", "b"):
            view.update(name, Counted(done=done, total=100, ok=done, error=0))
    assert [line for line in lines if line.startswith("a infer:")] == [
        "a infer: started",
        "a infer: 10/100, 1.0/s, 1 min 30 s left",
        "a infer: 20/100, 1.0/s, 1 min 20 s left",
        "a infer: 30/100, 1.0/s, 1 min 10 s left",
    ]
    assert len(lines) == 8


def test_plain_with_unknown_total_says_only_what_it_knows() -> None:
    lines: list[str] = []
    clock = Clock()
    view = PlainProgress(say=lines.append, clock=clock, every_s=0)
    view.update("a", Counted(done=3, total=0, ok=3, error=0))
    assert lines == ["a stage: 3 done"]


def test_plain_lines_of_many_threads_are_all_there() -> None:
    lines: list[str] = []
    view = PlainProgress(say=lines.append, clock=Clock(), every_s=0)

    def work(name: str) -> None:
        for done in range(50):
            view.update(name, Counted(done=done, total=50, ok=done, error=0))

    threads = [threading.Thread(target=work, args=(f"e{index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines) == 200


# --- meter -------------------------------------------------------------------------------------


def test_rate_of_a_resumed_stage_starts_at_what_was_there() -> None:
    meter = Meter()
    assert meter.read(Counted(done=900, total=1000), now=0).rate is None
    reading = meter.read(Counted(done=920, total=1000), now=10)
    assert (reading.rate, reading.eta_s) == (2.0, 40.0)


def test_records_that_are_taken_over_in_mid_run_count_as_no_speed() -> None:
    meter = Meter()
    meter.read(Counted(done=0, asked=0, total=1000), now=0)
    reading = meter.read(Counted(done=910, asked=10, total=1000), now=10)
    assert (reading.rate, reading.eta_s) == (1.0, 90.0)


def test_rate_follows_the_last_minute() -> None:
    meter = Meter()
    meter.read(Counted(done=0, total=10_000), now=0)
    meter.read(Counted(done=600, total=10_000), now=60)
    for second in range(70, 140, 10):
        reading = meter.read(Counted(done=600 + second - 60, total=10_000), now=second)
    assert reading.rate == 1.0


def test_a_restarted_stage_has_no_negative_rate() -> None:
    meter = Meter()
    meter.read(Counted(done=10, total=20), now=0)
    meter.read(Counted(done=15, total=20), now=5)
    reading = meter.read(Counted(done=3, total=20), now=9)
    assert (reading.rate, reading.eta_s) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (7620, "2 h 07 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_slow_speed_is_per_minute() -> None:
    assert (speed(12.34), speed(0.25)) == ("12.3/s", "15.0/min")


# --- terminal ----------------------------------------------------------------------------------


def test_bars_show_counts_errors_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    screen, clock = Terminal(), Clock()
    with RichProgress(console=Console(err=screen, env={"NO_COLOR": "1"}), clock=clock) as view:
        view.stage_started("docs-qwen", "infer", "[red]weights changed[/red]")
        update(view, done=4)
        clock.now += 4
        update(view, done=12, error=1)
        view.message("restarted [x]")
        view.stage_ended("docs-qwen", "infer", "done", "4.0 s")
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert "12/24 1 failed 2.0/s · 6 s left" in shown
    assert "· restarted [x]" in shown
    assert "✓ docs-qwen infer: done (4.0 s)" in shown


def test_bars_ignore_an_update_of_a_stage_that_is_not_shown() -> None:
    with RichProgress(console=Console(err=Terminal(), env={}), clock=Clock()) as view:
        update(view, done=1)
        view.stage_ended("docs-qwen", "infer", "reused", "")


def test_the_view_fits_the_stream() -> None:
    assert isinstance(make_progress(console=Console(err=io.StringIO(), env={})), PlainProgress)
    assert isinstance(make_progress(console=Console(err=Terminal(), env={})), RichProgress)


# --- tail --------------------------------------------------------------------------------------


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_tail_gives_each_complete_line_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = EventTail(path)
    assert tail.read() == []
    append(path, b'{"type": "start"}\n{"type": "prog')
    assert tail.read() == [{"type": "start"}]
    assert tail.read() == []
    append(path, 'ress", "text": "да"}\n'.encode())
    assert tail.read() == [{"type": "progress", "text": "да"}]


def test_tail_leaves_out_what_is_no_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    append(path, b'not json\n[1]\n\xff\xfe\n\n{"type": "end"}\n')
    assert EventTail(path).read() == [{"type": "end"}]


def test_tail_starts_again_with_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = EventTail(path)
    append(path, b'{"n": 1}\n{"n": 2}\n')
    assert len(tail.read()) == 2
    path.write_bytes(b'{"n": 3}\n')
    assert tail.read() == [{"n": 3}]
    path.unlink()
    assert tail.read() == []
    append(path, b'{"n": 4}\n{"n": 5}\n')
    assert tail.read() == [{"n": 4}, {"n": 5}]
