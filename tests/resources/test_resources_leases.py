"""Leases of GPUs: real processes, real kernel locks, kill -9 included."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from vlmhb.errors import EngineUnavailable, Interrupted
from vlmhb.resources.leases import LeaseDesk, Wish, distribute, named
from vlmhb.resources.shared_files import try_hold

HOLD = """
import sys, time
from pathlib import Path
from vlmhb.resources.leases import LeaseDesk, Wish
wish = Wish(uuids=tuple(sys.argv[2].split(",")), count=int(sys.argv[3]), holder={"run": sys.argv[4], "pid": 1})
with LeaseDesk(folder=Path(sys.argv[1])).lease(wish, waiting=lambda text: print("waits", text, flush=True)) as got:
    print("holds", ",".join(got), flush=True)
    sys.stdin.read()
"""


def wish(*uuids: str, count: int = 1, run: str = "r") -> Wish:
    return Wish(uuids=uuids, count=count, holder={"run": run, "model": "m", "pid": 7, "user": "anna"})


@pytest.fixture
def desk(tmp_path: Path) -> LeaseDesk:
    return LeaseDesk(folder=tmp_path / "leases")


class Holder:
    """Another process that wants GPUs."""

    def __init__(self, desk: LeaseDesk, uuids: str, *, count: int = 1, run: str = "other") -> None:
        argv = [sys.executable, "-c", HOLD, str(desk.folder), uuids, str(count), run]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.communicate()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def start(stack: ExitStack, desk: LeaseDesk, uuids: str, **values: Any) -> Holder:
    holder = Holder(desk, uuids, **values)
    stack.callback(lambda: holder.process.poll() is None and holder.kill())
    return holder


def test_a_lease_is_exclusive_and_says_for_whom_it_waits(desk: LeaseDesk, stack: ExitStack) -> None:
    first = start(stack, desk, "GPU-0", run="first")
    assert first.says() == "holds GPU-0"
    second = start(stack, desk, "GPU-0", run="second")
    assert second.says().startswith("waits waiting for 1 GPU(s): GPU-0 is held by run first")
    first.end()
    assert second.says() == "holds GPU-0"


def test_a_killed_holder_blocks_nobody_and_is_tidied_up_after(desk: LeaseDesk, stack: ExitStack) -> None:
    first = start(stack, desk, "GPU-0", run="first")
    assert first.says() == "holds GPU-0"
    first.kill()
    dead: list[dict[str, Any]] = []
    desk.tidy = dead.append
    with desk.lease(wish("GPU-0")) as got:
        assert got == ("GPU-0",)
    assert [record["run"] for record in dead] == ["first"]
    with desk.lease(wish("GPU-0")):
        pass
    assert len(dead) == 1  # whoever lets go itself leaves nothing to tidy


def test_a_killed_waiter_loses_its_place_in_the_queue(desk: LeaseDesk, stack: ExitStack) -> None:
    with desk.lease(wish("GPU-0")):
        waiter = start(stack, desk, "GPU-0")
        assert waiter.says().startswith("waits")
        waiter.kill()
        later = start(stack, desk, "GPU-0", run="later")
        assert later.says().startswith("waits")
    assert later.says() == "holds GPU-0"
    assert not [path for path in desk.folder.iterdir() if path.name.startswith("ticket-")]


@pytest.mark.parametrize("text", ["{}", '{"uuids": "GPU-0"}', '{"count": 1, "holder": {}}', "[1]"])
def test_a_broken_ticket_of_somebody_alive_holds_nobody_up(desk: LeaseDesk, text: str) -> None:
    desk.folder.mkdir()
    ticket = desk.folder / "ticket-00000000000000000001-1-a"
    file = try_hold(ticket)
    assert file is not None
    ticket.write_text(text)
    with desk.lease(wish("GPU-0")) as got:
        assert got == ("GPU-0",)
    file.drop()


STUCK = """
import os, signal, sys
from pathlib import Path
from vlmhb.resources.shared_files import hold
with hold(Path(sys.argv[1]), wait_s=10):
    print("holds", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_whoever_is_stopped_at_the_desk_is_named(desk: LeaseDesk) -> None:
    desk.folder.mkdir()
    stuck = subprocess.Popen(
        [sys.executable, "-c", STUCK, str(desk.folder / "desk")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert stuck.stdout is not None and stuck.stdout.readline() == "holds\n"
        desk.desk_wait_s = 0.2
        with (
            pytest.raises(EngineUnavailable, match=f"held for 0.2 s by the process {stuck.pid};"),
            desk.lease(wish("GPU-0")),
        ):
            pass
        stuck.send_signal(signal.SIGCONT)
        stuck.wait(20)
        with desk.lease(wish("GPU-0")) as got:
            assert got == ("GPU-0",)
    finally:
        stuck.kill()
        stuck.communicate()


def test_all_or_none_without_a_deadlock(desk: LeaseDesk) -> None:
    """Two at a time who want the same two in opposite order, many times: taking one by one they would hang."""
    done: list[int] = []

    def work(*uuids: str) -> None:
        mine = LeaseDesk(folder=desk.folder, sleep=lambda _: time.sleep(0.001))
        for _ in range(20):
            with mine.lease(wish(*uuids, count=2)) as got:
                done.append(len(got))

    threads = [
        threading.Thread(target=work, args=uuids)
        for uuids in (("GPU-0", "GPU-1"), ("GPU-1", "GPU-0"))
        for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert done == [2] * 80


def test_first_come_first_served(desk: LeaseDesk, stack: ExitStack) -> None:
    with desk.lease(wish("GPU-0")):
        waiting = []
        for name in ("a", "b", "c"):
            waiting.append(start(stack, desk, "GPU-0", run=name))
            assert waiting[-1].says().startswith("waits")
    for holder in waiting:
        while not (said := holder.says()).startswith("holds"):
            assert said.startswith("waits")
        assert not any(path.read_text() == "" for path in desk.folder.glob("ticket-*"))
        holder.end()


def test_one_that_wants_two_is_not_overtaken_for_ever(desk: LeaseDesk, stack: ExitStack) -> None:
    both = "GPU-0,GPU-1"
    with desk.lease(wish("GPU-0")):
        wide = start(stack, desk, both, count=2, run="wide")
        assert wide.says().startswith("waits")
        narrow = start(stack, desk, both, run="narrow")
        told = narrow.says()  # GPU-1 is free, but kept for the one before it
        assert "before it in the queue: run wide" in told
        elsewhere = start(stack, desk, "GPU-2", run="elsewhere")
        assert elsewhere.says() == "holds GPU-2"
    assert wide.says() == "holds GPU-0,GPU-1"


def test_any_of_several(desk: LeaseDesk) -> None:
    with desk.lease(wish("GPU-0", "GPU-1")) as first, desk.lease(wish("GPU-0", "GPU-1")) as second:
        assert (first, second) == (("GPU-0",), ("GPU-1",))


def test_a_stop_request_ends_the_wait(desk: LeaseDesk) -> None:
    with desk.lease(wish("GPU-0")):
        with pytest.raises(Interrupted), desk.lease(wish("GPU-0"), should_stop=lambda: True):
            pass
        assert not list(desk.folder.glob("ticket-*"))


def test_a_failure_while_tidying_lets_everything_go(desk: LeaseDesk, stack: ExitStack) -> None:
    holder = start(stack, desk, "GPU-0")
    assert holder.says() == "holds GPU-0"
    holder.kill()

    def fails(_: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    desk.tidy = fails
    with pytest.raises(KeyboardInterrupt), desk.lease(wish("GPU-0", "GPU-1", count=2)):
        pass
    desk.tidy = lambda _: None
    with desk.lease(wish("GPU-0", "GPU-1", count=2)) as got:
        assert got == ("GPU-0", "GPU-1")


def test_holders_are_told_without_taking_anything(desk: LeaseDesk, stack: ExitStack) -> None:
    assert desk.holders(["GPU-0"]) == {}
    holder = start(stack, desk, "GPU-0", run="them")
    assert holder.says() == "holds GPU-0"
    assert desk.holders(["GPU-0", "GPU-1"])["GPU-0"]["run"] == "them"
    holder.end()
    assert desk.holders(["GPU-0"]) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users")
def test_users_share_the_folder_whoever_made_it() -> None:
    code = (
        "import os, sys\nfrom vlmhb.resources.leases import LeaseDesk, Wish\nfrom pathlib import Path\n"
        "os.umask(0o077)\nos.setgroups([])\nos.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))\n"
        "desk = LeaseDesk(folder=Path(sys.argv[1]))\n"
        "with desk.lease(Wish(uuids=('GPU-0',), count=1, holder={'run': sys.argv[2]}), should_stop=lambda: True):\n"
        "    print('got', flush=True)\n    if sys.argv[3] == 'die': os.kill(os.getpid(), 9)\n"
    )
    with tempfile.TemporaryDirectory(dir="/tmp") as base:  # pytest's own folders are closed to other users
        Path(base).chmod(0o1777)
        folder = Path(base) / "leases"
        for user, how in (("12001", "die"), ("12002", "end"), ("12001", "end")):
            done = subprocess.run(
                [sys.executable, "-c", code, str(folder), user, how],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.stdout.strip() == "got", done.stderr
        assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
        assert stat.S_IMODE((folder / "GPU-0.lock").stat().st_mode) == 0o666


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "leases").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(EngineUnavailable, match="VLMHB_GPU_LEASES"),
        LeaseDesk(folder=tmp_path / "leases").lease(wish("GPU-0")),
    ):
        pass


def test_a_record_says_who_holds(desk: LeaseDesk) -> None:
    with desk.lease(wish("GPU-0", run="demo")):
        record = json.loads((desk.folder / "GPU-0.lock").read_text())
        assert named(record) == "run demo (m), pid 7 of anna"
    assert (desk.folder / "GPU-0.lock").read_text() == ""


def test_shares() -> None:
    assert distribute(("a", "b", "c", "d"), copies=2) == (("a", "b"), ("c", "d"))
    assert distribute((), copies=2) == ((), ())
