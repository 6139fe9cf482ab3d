"""kill -9 while a journal is made canonical: at every line of ours, and every answer is still there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from infer_bench import Bench, samples
from infer_faults import FaultServer

KILLED = """
import os, signal, sys
from array import array
from pathlib import Path
from vlmhb_stages.contracts import Prediction
from vlmhb_stages.infer.canonical import make_canonical
from vlmhb_stages.infer.resume import OwnRecords
from vlmhb_stages.infer.samples import SampleKeys

OURS = ("canonical.py", "journal.py")
folder, order = Path(sys.argv[1]), [2, 0, 3, 1]
path = folder / "predictions.jsonl"
records = [Prediction(sample_id=str(n), request_hash="0" * 64, status="ok", text="t" * n) for n in range(4)]
lines = [record.model_dump_json().encode() + b"\\n" for record in records]
stale = records[1].model_copy(update={"text": "older"}).model_dump_json().encode() + b"\\n"
whole = stale + b"".join(lines)
offsets = array("q", [len(stale) + sum(map(len, lines[:number])) for number in order])
canonical = b"".join(lines[number] for number in order)

def die_at(step):
    left = step
    def trace(frame, event, _):
        nonlocal left
        if os.path.basename(frame.f_code.co_filename) not in OURS:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)

step, killed = 0, 0
while True:
    path.write_bytes(whole)
    child = os.fork()
    if child == 0:
        die_at(step)
        make_canonical(path, lambda: iter(offsets), known_from=1 << 40)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert path.read_bytes() in (whole, canonical), step
    own = OwnRecords(path)
    keys = [SampleKeys([str(number).encode() for number in range(4)], [0] * 4)]
    found = [one.recorded for one in own.index.claim(keys, is_trusted=False).of(with_record=True)]
    for one, line in zip(found, lines, strict=True):
        assert path.read_bytes()[one.offset:].startswith(line), step
    assert own.corrupt == 0
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
    killed, step = killed + 1, step + 1
assert path.read_bytes() == canonical
print(killed)
"""


@pytest.mark.slow
def test_killed_at_every_step(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 40


def test_what_a_killed_start_has_left_half_written_is_removed(bench: Bench) -> None:
    bench.write_samples(samples(3))
    half = bench.predictions_path.with_name("predictions.jsonl.tmp")
    half.write_bytes(b'{"sample_id":"s0","reque')
    with FaultServer() as server:
        assert bench.run(bench.http(server.base_url)) == 0
    assert not half.exists() and len(bench.predictions) == 3


def test_a_record_that_is_broken_inside_is_asked_again_before_anything_is_sealed(bench: Bench) -> None:
    """Its two ends are right, so it is taken for whole at first; the journal of a complete run has none such."""
    bench.write_samples(samples(5))
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        assert bench.run(spec) == 0
        broken = bench.predictions_path.read_bytes().replace(
            b'"text":"answer to s2"', b'"text":"answer "o s2"'
        )
        bench.predictions_path.write_bytes(broken)
        assert bench.run(spec) == 0
        assert server.counts == {"s0": 1, "s1": 1, "s2": 2, "s3": 1, "s4": 1}
    assert [record.text for record in bench.predictions] == [f"answer to s{n}" for n in range(5)]
    assert bench.summary.counts.ok == 5 and bench.summary.requests == 1
    assert "1 unreadable lines" in bench.events("warning")[0]["message"]
