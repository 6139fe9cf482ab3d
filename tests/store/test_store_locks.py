"""One writer per artifact: real processes, killed for real."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from vlmhb.errors import Interrupted
from vlmhb.store.locks import STALE_S, ArtifactLock, process_start

HOLD = """
import sys
from pathlib import Path
from vlmhb.store.locks import ArtifactLock
with ArtifactLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(lock: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_writer_waits_and_is_told_who_holds_it(tmp_path: Path) -> None:
    lock = tmp_path / "artifact" / "lock"
    process = holder(lock)
    told: list[str] = []

    def waiting(who: str) -> None:
        told.append(who)
        assert process.stdin is not None
        process.stdin.close()

    with ArtifactLock(lock, waiting=waiting):
        assert process.wait(10) == 0
    assert len(told) == 1
    assert told[0].startswith(f"pid {process.pid} on ")
    assert list(lock.parent.iterdir()) == []


def test_the_lock_of_a_killed_holder_is_taken_over(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    process = holder(lock)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    with ArtifactLock(lock):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_reused_pid_does_not_keep_a_lock_alive(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with ArtifactLock(lock):
        mine = json.loads(lock.read_text())
    lock.write_text(json.dumps({**mine, "start": "1", "token": "other"}))
    with ArtifactLock(lock):
        assert json.loads(lock.read_text())["start"] == process_start(os.getpid())


def test_another_hosts_lock_is_stale_only_when_untouched(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 1, "start": "1", "token": "t"}))
    with pytest.raises(Interrupted), ArtifactLock(lock, should_stop=lambda: True):
        pass
    old = lock.stat().st_mtime - STALE_S - 1
    os.utime(lock, (old, old))
    with ArtifactLock(lock):
        assert json.loads(lock.read_text())["pid"] == os.getpid()


def test_many_contenders_never_overlap(tmp_path: Path) -> None:
    inside: list[int] = []
    overlaps: list[int] = []

    def work() -> None:
        for _ in range(5):
            with ArtifactLock(tmp_path / "lock"):
                inside.append(1)
                if len(inside) > 1:
                    overlaps.append(1)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == []


def test_the_holder_is_named_only_while_it_lives(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert ArtifactLock.holder(lock) is None
    with ArtifactLock(lock):
        name = ArtifactLock.holder(lock)
        assert name is not None and name.startswith(f"pid {os.getpid()} on ")
        mine = json.loads(lock.read_text())
    assert ArtifactLock.holder(lock) is None
    lock.write_text(json.dumps({**mine, "start": "1"}))
    assert ArtifactLock.holder(lock) is None
