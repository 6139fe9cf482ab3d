"""Whatever is left of a journal, whole lines come back and the rest is cut once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from vlmhb_stages.journal import Journal, Recovery, compact, cut_torn_tail, recover, scan, write_atomic


def kept(path: Path) -> tuple[list[tuple[int, object]], Recovery]:
    found: list[tuple[int, object]] = []
    recovery = recover(path, parse=json.loads, keep=lambda offset, record: found.append((offset, record)))
    return found, recovery


def test_lines_are_there_at_once_and_offsets_point_at_them(tmp_path: Path) -> None:
    path = tmp_path / "deep/j.jsonl"
    journal = Journal(path)
    offsets = [journal.append(json.dumps({"n": n, "text": "ё" * n})) for n in range(5)]
    content = path.read_bytes()
    assert [json.loads(content[at:].split(b"\n")[0])["n"] for at in offsets] == list(range(5))
    journal.close()
    assert kept(path)[1] == Recovery(lines=5)


def test_every_torn_tail_is_cut_to_the_last_newline(tmp_path: Path) -> None:
    whole = b'{"a": 1}\n{"b": "' + "ю".encode() * 10 + b'"}\n'
    path = tmp_path / "j.jsonl"
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        good = whole[:end].rfind(b"\n") + 1
        assert cut_torn_tail(path) == end - good
        assert path.read_bytes() == whole[:good]
        assert cut_torn_tail(path) == 0


def test_a_torn_tail_longer_than_a_block(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b"{}\n" + b"x" * 200_000)
    assert recover(path) == Recovery(lines=1, cut_bytes=200_000)
    path.write_bytes(b"x" * 200_000)
    assert recover(path) == Recovery(cut_bytes=200_000)


def test_a_new_writer_continues_after_the_last_good_line(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"n": 0}\n{"n"')
    journal = Journal(path)
    assert journal.append('{"n": 1}') == 9
    journal.close()
    assert path.read_bytes() == b'{"n": 0}\n{"n": 1}\n'


def test_corrupt_lines_are_counted_and_left(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"n": 0}\n\x00\x00\n\xff\xfe\n\n{"n": 1}\n')
    found, recovery = kept(path)
    assert found == [(0, {"n": 0}), (16, {"n": 1})]
    assert recovery == Recovery(lines=2, corrupt=3)


def test_separators_inside_texts_are_no_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    journal.append(json.dumps({"t": "a\u2028b\u0085c\r\n"}, ensure_ascii=False))
    journal.close()
    assert kept(path)[0] == [(0, {"t": "a\u2028b\u0085c\r\n"})]


def test_a_missing_file_is_empty(tmp_path: Path) -> None:
    assert recover(tmp_path / "none") == Recovery()
    assert scan(tmp_path / "none", parse=json.loads, keep=lambda offset, record: None) == Recovery()


def test_scan_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"n": 0}\n{"n"')
    assert scan(path, parse=json.loads, keep=lambda offset, record: None) == Recovery(lines=1, corrupt=1)
    assert path.read_bytes() == b'{"n": 0}\n{"n"'


def test_sync_at_most_once_in_its_time(tmp_path: Path) -> None:
    now = 0.0
    journal = Journal(tmp_path / "j.jsonl", clock=lambda: now, sync_every_s=1.0)
    assert not journal.sync(force=True)  # nothing to do
    journal.append("{}")
    assert not journal.sync()
    now = 1.0
    assert journal.sync() and not journal.sync()
    journal.append("{}")
    assert not journal.sync() and journal.sync(force=True)
    journal.close()


def test_compact_takes_the_lines_at_the_offsets_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    offsets = [journal.append(json.dumps(n)) for n in range(5)]
    journal.close()
    compact(path, [offsets[3], offsets[0], offsets[4]])
    assert path.read_bytes() == b"3\n0\n4\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_breaks_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomic(path, [b"old"])

    def chunks() -> list[bytes]:
        raise OSError(28, "full")

    with pytest.raises(OSError, match="full"):
        write_atomic(path, (chunk for _ in range(1) for chunk in chunks()))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


LIMITED = """
import resource, sys, signal
from pathlib import Path
from vlmhb_stages.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path(sys.argv[1]))
journal.append("x" * 50)
resource.setrlimit(resource.RLIMIT_FSIZE, (80, 80))
try:
    journal.append("y" * 50)
except OSError:
    print("refused")
"""


def test_a_line_that_does_not_fit_leaves_no_half(tmp_path: Path) -> None:
    """A file size limit takes a part of the line and refuses the rest, as a full disk does."""
    path = tmp_path / "j.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "refused\n"
    assert path.read_bytes() == b"x" * 50 + b"\n"


ENDLESS = """
import sys
from pathlib import Path
from vlmhb_stages.journal import Journal
journal = Journal(Path(sys.argv[1]))
n = 0
while True:
    journal.append('{"n": %d, "text": "%s"}' % (n, "z" * 500))
    print(n, flush=True)
    n += 1
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    writer = subprocess.Popen([sys.executable, "-c", ENDLESS, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    for _ in range(200):
        acknowledged = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.stdout.read().split()
    writer.wait()
    writer.stdout.close()
    acknowledged = int(rest[-1]) if rest else acknowledged
    found, recovery = kept(path)
    assert recovery.corrupt == 0
    assert [record["n"] for _, record in found if isinstance(record, dict)][: acknowledged + 1] == list(
        range(acknowledged + 1)
    )
