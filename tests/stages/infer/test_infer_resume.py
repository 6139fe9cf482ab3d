"""What is asked again on resume is exactly what has no final record of the same request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from infer_bench import GREEDY, Bench, sample, samples
from infer_faults import FaultServer, Handler, body, reset, saying, status
from vlmhb_stages.contracts import Prediction, Sample, SampleError
from vlmhb_stages.specs import ReplayBackend


def rewrite(bench: Bench, lines: Sequence[bytes]) -> None:
    bench.predictions_path.write_bytes(b"".join(lines))


def lines_of(bench: Bench) -> list[bytes]:
    return bench.predictions_path.read_bytes().splitlines(keepends=True)


def sealed(bench: Bench, name: str) -> str:
    """Makes what `out` holds now a previous artifact and empties `out`."""
    folder = bench.root / "in/previous" / name
    folder.parent.mkdir(exist_ok=True)
    (bench.root / "out").rename(folder)
    (bench.root / "out").mkdir()
    return f"/vlmhb/in/previous/{name}"


def test_a_complete_artifact_asks_nobody(bench: Bench) -> None:
    bench.write_samples(samples(5))
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        assert bench.run(spec) == 0
        before = bench.predictions_path.read_bytes()
        assert bench.run(spec) == 0
    assert sum(server.counts.values()) == 5
    assert bench.predictions_path.read_bytes() == before
    assert bench.summary.requests == 0 and bench.summary.counts.ok == 5
    assert bench.summary.server == {"id": "fault-model"}


def test_nothing_to_do_needs_no_server(bench: Bench) -> None:
    bench.write_samples(samples(2))
    with FaultServer(socket_path=bench.socket):
        assert bench.run(bench.own()) == 0
    assert bench.run(bench.own()) == 0


def test_a_torn_tail_is_cut_once(bench: Bench) -> None:
    """B5: the torn sample is asked again, once; the second resume sends nothing."""
    bench.write_samples(samples(6))
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        bench.run(spec)
        whole = lines_of(bench)
        rewrite(bench, [*whole[:-1], whole[-1][:40]])
        assert bench.run(spec) == 0
        assert server.counts["s5"] == 2 and sum(server.counts.values()) == 7
        assert bench.run(spec) == 0
    assert sum(server.counts.values()) == 7
    assert [record.sample_id for record in bench.predictions] == [f"s{i}" for i in range(6)]


def test_corrupt_lines_are_counted_and_asked_again(bench: Bench) -> None:
    bench.write_samples(samples(4))
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        bench.run(spec)
        whole = lines_of(bench)
        rewrite(bench, [whole[0], b"\x00\x00garbage\n", b'{"sample_id": "s1"}\n', whole[2], whole[3]])
        assert bench.run(spec) == 0
    assert server.counts == {"s0": 1, "s1": 2, "s2": 1, "s3": 1}
    assert "2 unreadable lines" in bench.events("warning")[0]["message"]
    assert [record.sample_id for record in bench.predictions] == ["s0", "s1", "s2", "s3"]


def test_the_last_record_of_a_sample_wins(bench: Bench) -> None:
    bench.write_samples(samples(1))
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        bench.run(spec)
        first = bench.predictions[0]
        failed = first.model_copy(update={"status": "error", "text": None})
        rewrite(bench, [record.model_dump_json().encode() + b"\n" for record in (failed, first)])
        bench.run(spec)
    assert len(server.asked) == 1
    assert bench.predictions == [first]


@pytest.mark.parametrize("fault", [status(500), status(429), status(401), reset, body(b"{}")])
def test_errors_are_tried_again_and_their_attempts_stay(bench: Bench, fault: Handler) -> None:
    bench.write_samples(samples(3))
    with FaultServer(always={"s1": fault}) as server:
        spec = bench.http(server.base_url)
        bench.run(spec)
        failed_with = server.counts["s1"]
        del server.always["s1"]
        assert bench.run(spec) == 0
    assert server.counts == {"s0": 1, "s1": failed_with + 1, "s2": 1}
    assert {record.status for record in bench.predictions} == {"ok"}
    assert len(bench.attempts) == 2 + failed_with + 1


@pytest.mark.parametrize(
    "answer",
    [
        saying("", finish="content_filter"),
        saying("cut", finish="length"),
        status(400, "context length exceeded"),
    ],
)
def test_states_of_the_answer_are_final(bench: Bench, answer: Handler) -> None:
    bench.write_samples(samples(2))
    with FaultServer(everything=answer) as server:
        spec = bench.http(server.base_url)
        bench.run(spec)
        before = bench.predictions
        bench.run(spec)
    assert len(server.asked) == 2
    assert bench.predictions == before


def test_another_model_is_asked_for_everything(bench: Bench) -> None:
    """R1."""
    bench.write_samples(samples(4))
    with FaultServer() as server:
        bench.run(bench.http(server.base_url))
        server.everything = saying("of model B")
        assert bench.run(bench.http(server.base_url, model_identity="id-2")) == 0
    assert len(server.asked) == 8
    assert {record.text for record in bench.predictions} == {"of model B"}


def test_changed_prompts_and_images_are_asked_again_and_only_those(bench: Bench) -> None:
    """R2, and the input side of R3."""
    old = [sample(f"s{i}", bench.image(f"{i}.png")) for i in range(5)]
    bench.write_samples(old)
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        bench.run(spec)
        new: list[Sample] = [
            *old[:3],
            sample("s3", bench.image("3.png", b"edited")),
            sample("s4", prompt="please ask"),
        ]
        bench.write_samples(new)
        assert bench.run(spec) == 0
    assert server.counts == {"s0": 1, "s1": 1, "s2": 1, "s3": 2, "s4": 2}


def test_decoding_is_part_of_the_request_and_runtime_options_are_not(bench: Bench) -> None:
    bench.write_samples(samples(3))
    with FaultServer() as server:
        bench.run(bench.http(server.base_url, decoding=GREEDY))
        elsewhere = server.base_url.replace("127.0.0.1", "localhost")
        bench.run(bench.http(elsewhere, decoding=GREEDY, concurrency=3, heartbeat_s=1, model="another name"))
        assert len(server.asked) == 3
        bench.run(bench.http(server.base_url, decoding=GREEDY.model_copy(update={"seed": 7})))
    assert len(server.asked) == 6


def test_records_are_imported_from_previous_artifacts(bench: Bench) -> None:
    """B4: limit raised, URL spelled differently: only the new samples run, and each record says where it is
    from."""
    bench.write_samples(samples(20))
    with FaultServer(always={"s3": status(500)}) as server:
        bench.run(bench.http(server.base_url))
        server.always.clear()
        server.asked.clear()
        previous = sealed(bench, "aa11")
        bench.write_samples(samples(40))
        elsewhere = server.base_url.replace("127.0.0.1", "localhost")
        assert bench.run(bench.http(elsewhere, previous=(previous,))) == 0
    assert server.counts == {f"s{i}": 1 for i in (3, *range(20, 40))}
    assert [record.sample_id for record in bench.predictions] == [f"s{i}" for i in range(40)]
    origins = {record.sample_id: record.imported_from for record in bench.predictions}
    assert origins["s0"] == "aa11" and origins["s3"] is None and origins["s25"] is None
    assert bench.summary.imported == 19 and bench.summary.requests == 21


def test_an_imported_record_keeps_its_origin_and_its_own_id(bench: Bench) -> None:
    bench.write_samples([sample("same")])
    with FaultServer() as server:
        bench.run(bench.http(server.base_url))
        first = sealed(bench, "aa")
        bench.run(bench.http(server.base_url, previous=(first,)))
        second = sealed(bench, "bb")
        renamed = sample("same").model_copy(update={"sample_id": "renamed"})
        bench.write_samples([renamed])
        assert bench.run(bench.http(server.base_url, previous=(second,))) == 0
    assert len(server.asked) == 1
    record = bench.predictions[0]
    assert (record.sample_id, record.imported_from, record.text) == ("renamed", "aa", "answer to same")


def test_recorded_answers_stay_with_their_ids(bench: Bench) -> None:
    """Pages that look alike ask the same: by request, each would get the recorded answer of the last one."""
    pages = [sample("page").model_copy(update={"sample_id": f"s{n}"}) for n in range(4)]
    rows = "".join(f"s{n};text {n}\n" for n in range(4))
    (bench.root / "in/answers").write_text(f"id;model_answer\n{rows}")
    bench.write_samples(pages[:2])
    assert bench.run(bench.spec(ReplayBackend())) == 0
    previous = sealed(bench, "aa")
    bench.write_samples(pages)
    assert bench.run(bench.spec(ReplayBackend(), previous=(previous,))) == 0
    assert [record.text for record in bench.predictions] == [f"text {n}" for n in range(4)]


def test_an_unusable_sample_imports_nothing(bench: Bench) -> None:
    """Without its image it asks what a sample of plain text asked before."""
    with FaultServer() as server:
        bench.write_samples([sample("same")])
        bench.run(bench.http(server.base_url))
        previous = sealed(bench, "aa")
        bench.write_samples([sample("same", error=SampleError(kind="bad_image", message="torn"))])
        bench.run(bench.http(server.base_url, previous=(previous,)))
    record = bench.predictions[0]
    assert (record.status, record.text, record.imported_from) == ("error", None, None)


def test_previous_artifacts_are_only_read(bench: Bench) -> None:
    bench.write_samples(samples(2))
    with FaultServer() as server:
        bench.run(bench.http(server.base_url))
        previous = sealed(bench, "aa")
        path: Path = bench.resolve(previous) / "predictions.jsonl"
        torn = path.read_bytes()[:-10]
        path.write_bytes(torn)
        bench.run(bench.http(server.base_url, previous=(previous, "/vlmhb/in/previous/absent")))
    assert server.counts == {"s0": 1, "s1": 2}
    assert path.read_bytes() == torn


def test_a_record_that_no_sample_asks_for_any_more_goes(bench: Bench) -> None:
    bench.write_samples(samples(3))
    with FaultServer() as server:
        bench.run(bench.http(server.base_url))
        bench.write_samples([sample("s2"), sample("s0")])
        bench.run(bench.http(server.base_url))
    assert len(server.asked) == 3
    assert [record.sample_id for record in bench.predictions] == ["s2", "s0"]
    assert all(isinstance(record, Prediction) for record in bench.predictions)
