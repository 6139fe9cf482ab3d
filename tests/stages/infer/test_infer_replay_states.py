"""A recorded failure stays one: an answers file may say what became of each sample."""

from __future__ import annotations

import json
from typing import Any

import pytest
from infer_bench import Bench, samples
from vlmhb_stages.specs import ReplayBackend


def replay(bench: Bench, *rows: dict[str, Any]) -> int:
    (bench.root / "in/answers").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return bench.run(bench.spec(ReplayBackend()))


def test_states_texts_and_measures_are_kept(bench: Bench) -> None:
    bench.write_samples(samples(5))
    error = {"kind": "context_overflow", "message": "too long"}
    ok = {
        "sample_id": "s0",
        "status": "ok",
        "text": "",
        "input_tokens": 7,
        "latency_s": 0.5,
        "origin": "lmms-eval",
    }
    code = replay(
        bench,
        {**ok, "score": 1, "metadata": {}},
        {"sample_id": "s1", "status": "truncated", "text": "so fa", "finish_reason": "max_tokens"},
        {"sample_id": "s2", "status": "context_overflow", "text": None, "error": error},
        {"sample_id": "s3", "status": "skipped_budget", "text": "[BUDGET]"},
        {"sample_id": "s4", "status": "ok", "text": None},
    )
    assert code == 0
    found = bench.by_id
    assert [found[f"s{n}"].status for n in range(5)] == [
        "ok", "truncated", "context_overflow", "skipped_budget", "error",
    ]  # fmt: skip
    assert (found["s0"].text, found["s0"].input_tokens, found["s0"].latency_s) == ("", 7, 0.5)
    assert found["s0"].imported_from == "lmms-eval" and found["s1"].imported_from is None
    assert found["s2"].error is not None and found["s2"].error.message == "too long"
    assert found["s3"].text is None and found["s4"].error is not None
    assert bench.summary.counts.model_dump() == {"planned": 5, "ok": 2, "error": 2, "skipped": 1}


def test_the_last_row_counts_also_where_it_is_a_failure(bench: Bench) -> None:
    bench.write_samples(samples(2))
    failure = {"sample_id": "s0", "status": "error", "text": None, "error": "the server was gone"}
    assert replay(bench, {"sample_id": "s0", "text": "x"}, failure,
                  {**failure, "sample_id": "s1"}, {"sample_id": "s1", "text": "y"}) == 0  # fmt: skip
    assert bench.by_id["s0"].status == "error" and bench.by_id["s1"].text == "y"
    error = bench.by_id["s0"].error
    assert error is not None and error.message == "the server was gone"


@pytest.mark.parametrize(
    ("row", "told"),
    [({"status": "done"}, "status 'done'"), ({"status": "ok", "latency_s": "x"}, "latency_s")],
)
def test_a_state_of_another_language_ends_the_run_with_its_place(
    bench: Bench, row: dict[str, Any], told: str
) -> None:
    bench.write_samples(samples(1))
    assert replay(bench, {"sample_id": "s0", "text": "x", **row}) == 3
    message = bench.events("fatal")[0]["message"]
    assert "line 1" in message and told in message


def test_a_failure_of_no_sample_is_told(bench: Bench) -> None:
    bench.write_samples(samples(1))
    assert (
        replay(
            bench, {"sample_id": "s0", "text": "x"}, {"sample_id": "ghost", "status": "error", "text": None}
        )
        == 0
    )
    assert any("ghost" in event["message"] for event in bench.events("warning"))
