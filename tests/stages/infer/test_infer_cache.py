"""Answers of other runs are taken where the same request would get the same answer, and are marked."""

from __future__ import annotations

from typing import Any

import pytest
from infer_bench import Bench, sample, samples
from infer_faults import FaultServer
from vlmhb_stages.contracts import Prediction
from vlmhb_stages.infer.request_hash import request_hash_of
from vlmhb_stages.specs import Decoding, InferSpec, ReplayBackend

ORIGIN = "cache:" + "f" * 64


def cached(bench: Bench, spec: InferSpec, *names: str, tail: bytes = b"", **changes: Any) -> None:
    """Writes answers to the requests of these samples into the cache."""
    base: dict[str, Any] = {"status": "ok", "text": "cached", "imported_from": ORIGIN}
    records = [
        Prediction.model_validate(
            {
                **base,
                "sample_id": "elsewhere",
                "request_hash": request_hash_of(sample(name), spec=spec),
                **changes,
            }
        )
        for name in names
    ]
    folder = bench.root / "in/cache"
    folder.mkdir(exist_ok=True)
    lines = b"".join(record.model_dump_json().encode() + b"\n" for record in records)
    (folder / "aaaa.jsonl").write_bytes(lines + tail)


def with_cache(bench: Bench, server: FaultServer, **changes: Any) -> InferSpec:
    return bench.http(server.base_url, cache="/vlmhb/in/cache", **changes)


def test_answers_of_the_cache_are_not_asked_for_and_say_so(bench: Bench) -> None:
    bench.write_samples(samples(4))
    with FaultServer() as server:
        spec = with_cache(bench, server)
        cached(bench, spec, "s1", "s3", tail=b'{"sample_id":"half')  # another run is just writing to it
        assert bench.run(spec) == 0
        assert set(server.counts) == {"s0", "s2"}
        assert [(one.sample_id, one.text, one.imported_from) for one in bench.predictions] == [
            ("s0", "answer to s0", None),
            ("s1", "cached", ORIGIN),
            ("s2", "answer to s2", None),
            ("s3", "cached", ORIGIN),
        ]
        assert (bench.summary.imported, bench.summary.cached, bench.summary.requests) == (2, 2, 2)
        assert not bench.events("warning")
        assert bench.run(spec) == 0
    assert (bench.summary.imported, bench.summary.cached, bench.summary.requests) == (2, 2, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"decoding": Decoding(temperature=0.7)},
        {"mode": "benchmark"},
        {"cache": None},
    ],
)
def test_nothing_is_taken_where_answers_differ_or_timings_count(
    bench: Bench, changes: dict[str, Any]
) -> None:
    bench.write_samples(samples(2))
    with FaultServer() as server:
        spec = with_cache(bench, server).model_copy(update=changes)
        cached(bench, spec, "s0", "s1")
        assert bench.run(spec) == 0
    assert set(server.counts) == {"s0", "s1"} and bench.summary.cached == 0


def test_a_replay_takes_nothing(bench: Bench) -> None:
    bench.write_samples(samples(1))
    (bench.root / "in/answers").write_text("id;model_answer\ns0;recorded\n")
    spec = bench.spec(ReplayBackend(), cache="/vlmhb/in/cache")
    cached(bench, spec, "s0")
    assert bench.run(spec) == 0
    assert bench.predictions[0].text == "recorded"


@pytest.mark.parametrize(
    "changes", [{"fallback": "other"}, {"adjusted": ["images at 50 %"]}, {"status": "error", "text": None}]
)
def test_answers_to_another_question_are_no_source(bench: Bench, changes: dict[str, Any]) -> None:
    """Neither in the cache nor in another artifact."""
    bench.write_samples(samples(1))
    with FaultServer() as server:
        spec = with_cache(bench, server, previous=("/vlmhb/in/previous/f1",))
        cached(bench, spec, "s0", imported_from=None, **changes)
        folder = bench.root / "in/previous/f1"
        folder.mkdir(parents=True)
        (folder / "predictions.jsonl").write_bytes((bench.root / "in/cache/aaaa.jsonl").read_bytes())
        assert bench.run(spec) == 0
    assert server.counts == {"s0": 1} and bench.predictions[0].imported_from is None


def test_another_artifact_comes_before_the_cache(bench: Bench) -> None:
    bench.write_samples(samples(1))
    with FaultServer() as server:
        spec = with_cache(bench, server, previous=("/vlmhb/in/previous/f1",))
        cached(bench, spec, "s0", text="of the artifact")
        folder = bench.root / "in/previous/f1"
        folder.mkdir(parents=True)
        (bench.root / "in/cache/aaaa.jsonl").rename(folder / "predictions.jsonl")
        cached(bench, spec, "s0")
        assert bench.run(spec) == 0
    assert [(one.text, one.imported_from) for one in bench.predictions] == [("of the artifact", "f" * 64)]


def test_a_cache_that_is_gone_meanwhile_is_no_fault(bench: Bench) -> None:
    bench.write_samples(samples(1))
    (bench.root / "in/cache").mkdir()
    (bench.root / "in/cache/aaaa.jsonl").symlink_to("gone")
    with FaultServer() as server:
        assert bench.run(with_cache(bench, server)) == 0
    assert server.counts == {"s0": 1}


def test_a_request_that_was_too_long_is_asked_again_where_more_may_be_done_about_it(bench: Bench) -> None:
    bench.write_samples(samples(1))
    with FaultServer() as server:
        spec = with_cache(bench, server, previous=("/vlmhb/in/previous/f1",))
        cached(bench, spec, "s0", status="context_overflow", text=None, imported_from=None)
        folder = bench.root / "in/previous/f1"
        folder.mkdir(parents=True)
        (bench.root / "in/cache/aaaa.jsonl").rename(folder / "predictions.jsonl")
        assert bench.run(spec) == 0
        assert not server.asked and bench.predictions[0].status == "context_overflow"
        bench.predictions_path.unlink()
        assert bench.run(spec.model_copy(update={"overflow": ("drop_oldest_turns",)})) == 0
    assert server.counts == {"s0": 1} and bench.predictions[0].status == "ok"


@pytest.mark.parametrize("damaged", ["g", "-1", "", "0x12"])
def test_a_damaged_hash_belongs_to_no_request(bench: Bench, damaged: str) -> None:
    bench.write_samples(samples(1))
    with FaultServer() as server:
        spec = with_cache(bench, server)
        cached(bench, spec, "s0", request_hash=damaged)
        assert bench.run(spec) == 0
    assert server.counts == {"s0": 1} and bench.predictions[0].text == "answer to s0"
