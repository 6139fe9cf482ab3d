"""The prototype's answers and our own lines."""

from __future__ import annotations

import pytest
from import_bench import AWKWARD, Bench


@pytest.mark.parametrize("header", ["id;model_answer", "sample_id;model_answer", "sample_id;answer"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_answers_of_the_prototype(bench: Bench, header: str, bom: bytes) -> None:
    """`…_MODELFRAMEWORK_…`, RPO classification and sorting: the columns differ, the name does not matter."""
    bench.samples(["0", "1", "2"])
    bench.source.write_bytes(bom + f'{header}\n0;44132\n2;"a;""b""\nc"\n'.encode())
    assert bench.run() == 0
    assert {name: record.text for name, record in bench.answers.items()} == {"0": "44132", "2": 'a;"b"\nc'}
    assert bench.summary.format == "upstream" and bench.summary.missing.first == ("1",)


def test_lines_with_states(bench: Bench) -> None:
    bench.samples([str(number) for number in range(len(AWKWARD))] + ["cut", "lost"])
    rows = [{"sample_id": str(number), "text": text} for number, text in enumerate(AWKWARD)]
    cut = {"sample_id": "cut", "status": "truncated", "text": "so fa", "output_tokens": 5, "latency_s": 0.5}
    lost = {
        "sample_id": "lost",
        "status": "error",
        "text": "",
        "error": {"kind": "timeout", "message": "late"},
    }
    bench.lines([*rows, cut, lost])
    assert bench.run() == 0
    assert bench.texts == [*AWKWARD, "so fa", None]
    assert bench.statuses["cut"] == "truncated" and bench.answers["cut"].latency_s == 0.5
    error = bench.answers["lost"].error
    assert error is not None and error.kind == "timeout"


def test_a_line_keeps_the_tool_that_asked_and_all_its_times(bench: Bench) -> None:
    """Such a record was never timed here: without its origin a report would say so."""
    times = {"latency_s": 0.5, "ttft_s": 0.2, "tpot_s": 0.1}
    bench.samples(["0"])
    bench.lines([{"sample_id": "0", "text": "x", "status": "ok", "origin": "EvalScope", **times}])
    assert bench.run() == 0
    record = bench.answers["0"]
    assert record.origin == "EvalScope"
    assert {name: getattr(record, name) for name in times} == times
    bench.lines([{"sample_id": "0", "text": "x", "status": "ok", **times}])
    assert bench.run() == 0
    assert bench.answers["0"].origin == "jsonl"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"sample_id": "0", "text": "x", "status": "fine"}', "status 'fine' is none of ok"),
        (b'{"sample_id": "0", "text": "x", "status": "ok", "latency_s": "soon"}', "line 1: latency_s"),
        (b'{"sample_id": "0"}', "line 1"),
    ],
)
def test_broken_lines_are_refused_with_their_place(bench: Bench, content: bytes, told: str) -> None:
    bench.samples(["0"])
    bench.source.write_bytes(content)
    assert bench.run("jsonl") == 2
    assert told in bench.fatal["message"]


def test_a_field_for_ids_has_no_place_here(bench: Bench) -> None:
    bench.samples(["0"])
    bench.lines([{"sample_id": "0", "text": "x"}])
    assert bench.run("jsonl", id_key="other") == 2
    assert "sample_id or id" in bench.fatal["message"]
