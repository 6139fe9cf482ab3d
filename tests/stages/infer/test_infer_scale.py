"""A run of very many recorded predictions begins to ask soon; `benches/resume.py` does it with a million."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest
from aiohttp import web
from infer_bench import Bench, sample
from infer_faults import Asked, FaultServer, Handler, proper, status
from vlmhb_stages.contracts import Prediction, Sample
from vlmhb_stages.infer import feed as feed_module
from vlmhb_stages.infer import guard as guard_module
from vlmhb_stages.infer import samples as samples_module
from vlmhb_stages.infer.guard import Guard
from vlmhb_stages.infer.request_hash import request_hash_of
from vlmhb_stages.infer.samples import survey
from vlmhb_stages.specs import Decoding, InferSpec

MEASURED = """
import re
from vlmhb_stages.events import EventWriter
from vlmhb_stages.infer import run
from vlmhb_stages.paths import EVENTS, resolve
from vlmhb_stages.spec import read_spec
code = run(read_spec(), events=EventWriter(resolve(EVENTS)))
print(code, int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]) // 1024)
"""


def recorded(bench: Bench, spec: InferSpec, *, count: int, open_: int, texts: int = 200) -> None:
    """`count` samples, all but the last `open_` of which have a record."""
    made = [sample(f"s{number}") for number in range(count)]
    bench.write_samples(made)
    with bench.predictions_path.open("w") as file:
        for one in made[: count - open_]:
            digest = request_hash_of(one, spec=spec)
            record = Prediction(sample_id=one.sample_id, request_hash=digest, status="ok", text="t" * texts)
            file.write(record.model_dump_json() + "\n")
    Guard(bench.root / "out", spec=spec, samples=survey(bench.root / "in/inputs/samples.jsonl")).put_up()


def test_a_hundred_thousand_records_hold_up_nobody(bench: Bench) -> None:
    """Bounds are wide: this machine may be busy. What they catch is work or memory for each record as it used to be:
    60 microseconds and 700 bytes."""
    first = threading.Event()
    with FaultServer() as server:
        server.on_asked = lambda count: first.set()
        spec = bench.http(server.base_url)
        recorded(bench, spec, count=100_000, open_=3)
        (bench.root / "spec.json").write_text(spec.model_dump_json())
        env = {**os.environ, "VLMHB_ROOT": str(bench.root)}
        started = time.perf_counter()
        driver = subprocess.Popen(
            [sys.executable, "-c", MEASURED], env=env, stdout=subprocess.PIPE, text=True
        )
        assert first.wait(60)
        took = time.perf_counter() - started
        told, _ = driver.communicate(timeout=120)
    code, peak = (int(word) for word in told.split())
    assert code == 0 and len(server.asked) == 3
    assert peak < 200
    assert took < 15


def test_nothing_of_a_record_that_is_known_to_fit_is_parsed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[int] = []
    parse = samples_module.parsed

    def counted(content: bytes, *, number: int) -> Sample:
        parsed.append(number)
        return parse(content, number=number)

    monkeypatch.setattr(feed_module, "parsed", counted)
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        recorded(bench, spec, count=30, open_=2)
        assert bench.run(spec) == 0
    assert parsed == [29, 30]


@pytest.mark.parametrize("change", ["model_identity", "decoding", "samples", "version", "guard"])
def test_records_are_looked_at_when_anything_could_have_changed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        recorded(bench, spec, count=4, open_=1)
        asked_again = 3
        if change == "model_identity":
            spec = spec.model_copy(update={"model_identity": "id-2"})
        elif change == "decoding":
            spec = spec.model_copy(update={"decoding": Decoding(max_tokens=7)})
        elif change == "samples":
            bench.write_samples(
                [sample(f"s{number}", prompt="other" if number == 1 else "ask") for number in range(4)]
            )
            asked_again = 1
        elif change == "version":
            monkeypatch.setattr("vlmhb_stages.infer.request_hash.REQUEST_HASH_VERSION", 99)
        else:
            (bench.root / "out" / guard_module.GUARD).write_text("{}")
            asked_again = 0
        assert bench.run(spec) == 0
        assert len(server.asked) == 1 + asked_again
        assert bench.run(spec) == 0  # canonical now, so that its records are known to fit
        assert len(server.asked) == 1 + asked_again
    assert Guard(
        bench.root / "out", spec=spec, samples=survey(bench.root / "in/inputs/samples.jsonl")
    ).holds or (change == "version")


def test_no_guard_is_put_up_over_records_of_another_request(bench: Bench) -> None:
    """Stopped half-way after a change, the journal holds records of both; the next start must tell them apart."""
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        recorded(bench, spec, count=4, open_=0)
        changed = spec.model_copy(update={"model_identity": "id-2", "error_policy": "stop"})
        server.everything = refuse_from(3)
        assert bench.run(changed) == 4
        server.everything = None
        assert bench.run(changed) == 0
    digests = {record.request_hash for record in bench.predictions}
    assert digests == {request_hash_of(sample(f"s{number}"), spec=changed) for number in range(4)}


def refuse_from(number: int) -> Handler:
    async def handler(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
        behave = status(404) if len(server.asked) >= number else proper
        return await behave(server, request, asked)

    return handler


def test_samples_without_a_record_are_asked_before_others_are_looked_at(bench: Bench) -> None:
    """So a start without a guard asks at once as well."""
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        recorded(bench, spec, count=50, open_=2)
        (bench.root / "out" / guard_module.GUARD).unlink()
        lines = bench.predictions_path.read_bytes().splitlines(keepends=True)
        bench.predictions_path.write_bytes(b"".join(lines).replace(b'"status":"ok"', b'"status":"error"', 1))
        assert bench.run(spec) == 0
        assert [asked.sample_id for asked in server.asked] == ["s48", "s49", "s0"]
    assert [record.sample_id for record in bench.predictions] == [f"s{number}" for number in range(50)]


def test_ids_of_every_kind_come_back(bench: Bench) -> None:
    names = ["страница 1", 'with "quotes"', "tab\there", "back\\slash", "", "a" * 500, "emoji 🙂", "\u2028"]
    bench.write_samples([sample("x").model_copy(update={"sample_id": name}) for name in names])
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        assert bench.run(spec) == 0
        lines = bench.predictions_path.read_bytes().splitlines(keepends=True)
        bench.predictions_path.write_bytes(b"".join(lines[::-1]))
        before = len(server.asked)
        assert bench.run(spec) == 0
        assert len(server.asked) == before
    assert [record.sample_id for record in bench.predictions] == names


def test_the_temporary_file_of_a_million_lines_is_not_needed_when_they_are_in_order(bench: Bench) -> None:
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        recorded(bench, spec, count=20, open_=0)
        before = bench.predictions_path.stat()
        assert bench.run(spec) == 0
    after = bench.predictions_path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not server.asked
