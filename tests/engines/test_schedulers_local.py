"""The local scheduler: deadlines and stop requests end real processes, with the reason kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from vlmhb.engines.base import ContainerTask, ImageSpec
from vlmhb.engines.process import ProcessEngine
from vlmhb.engines.process_registry import ProcessRegistry
from vlmhb.schedulers.local import LocalScheduler

IMAGE = ImageSpec(name="i", ref="i", identity="i", env=Path(sys.prefix))
WAIT = "import signal; signal.pause()"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ProcessEngine]:
    found = ProcessEngine(state=tmp_path / "state")
    yield found
    assert ProcessRegistry(found.state).find(labels={}) == []


def task(code: str) -> ContainerTask:
    return ContainerTask(name="t", image=IMAGE, command=("python3", "-c", code))


def test_ticks_until_the_end(engine: ProcessEngine, tmp_path: Path) -> None:
    ticks: list[int] = []
    scheduler = LocalScheduler(interval_s=0.01)
    ended = scheduler.run(
        task("raise SystemExit(4)"), engine=engine, log=tmp_path / "log", on_tick=lambda: ticks.append(1)
    )
    assert (ended.code, ended.reason) == (4, "exit")
    assert ticks


def test_deadline(engine: ProcessEngine, tmp_path: Path) -> None:
    times = iter(range(0, 10_000, 50))
    scheduler = LocalScheduler(interval_s=0.01, grace_s=20, clock=lambda: next(times))
    ended = scheduler.run(task(WAIT), engine=engine, log=tmp_path / "log", timeout_s=100)
    assert ended.reason == "timeout"


def test_stop_request(engine: ProcessEngine, tmp_path: Path) -> None:
    scheduler = LocalScheduler(interval_s=0.01, grace_s=20)
    ended = scheduler.run(task(WAIT), engine=engine, log=tmp_path / "log", should_stop=lambda: True)
    assert ended.reason == "stopped"


def test_nothing_is_left_running_when_the_caller_is_interrupted(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalScheduler(grace_s=20).run(task(WAIT), engine=engine, log=tmp_path / "log", on_tick=interrupt)
