"""Details of LightEval in parquet."""

from __future__ import annotations

from typing import Any

import pyarrow
from import_bench import AWKWARD, Bench
from pyarrow import parquet


def details(bench: Bench, rows: list[dict[str, Any]]) -> None:
    parquet.write_table(pyarrow.Table.from_pylist(rows), bench.source)


def detail(number: int, texts: list[str]) -> dict[str, Any]:
    return {
        "doc": {"id": str(number), "query": f"Question {number}?", "choices": ["x"], "gold_index": 0},
        "model_response": {
            "text": texts,
            "input_tokens": [1, 2, 3],
            "output_tokens": [[1, 2]],
            "logprobs": [],
        },
        "metric": {"em": 0.5},
    }


def test_every_text_comes_through(bench: Bench) -> None:
    bench.samples([f"s{number}" for number in range(len(AWKWARD))],
                  {f"s{number}": f"Question {number}?" for number in range(len(AWKWARD))})  # fmt: skip
    details(bench, [detail(number, [text]) for number, text in enumerate(AWKWARD)])
    assert bench.run() == 0
    assert bench.texts == list(AWKWARD)
    first = bench.answers["s0"]
    assert (first.input_tokens, first.output_tokens, first.origin) == (3, 2, "LightEval")
    assert bench.summary.metrics["em"].n == len(AWKWARD)


def test_several_generations_and_none_are_no_answer(bench: Bench) -> None:
    bench.samples(["0", "1"])
    details(bench, [detail(0, ["a", "b"]), detail(1, [])])
    assert bench.run() == 0
    assert bench.statuses == {"0": "error", "1": "error"}


def test_other_parquet_files_are_refused(bench: Bench) -> None:
    bench.samples(["0"])
    details(bench, [{"doc": "x", "predictions": ["y"]}])
    assert bench.run() == 2
    assert "no column model_response" in bench.fatal["message"]
    bench.source.write_bytes(b"PAR1 and no more")
    assert bench.run() == 2
    assert "not a readable parquet file" in bench.fatal["message"]
