"""Samples of lmms-eval: what the model said before any filter, failures and budgets as states (V3)."""

from __future__ import annotations

from typing import Any

import pytest
from import_bench import AWKWARD, Bench


def sample(number: int, **fields: Any) -> dict[str, Any]:
    base = {
        "doc_id": number,
        "target": "['a', 'b']",
        "doc_hash": "h",
        "input": f"Question {number}?\nAnswer briefly.",
    }
    return {**base, **fields}


def test_every_text_comes_through(bench: Bench) -> None:
    bench.samples([str(number) for number in range(len(AWKWARD))])
    bench.lines([sample(number, filtered_resps=text) for number, text in enumerate(AWKWARD)])
    assert bench.run() == 0
    assert bench.texts == list(AWKWARD)
    assert bench.summary.format == "lmms-eval" and bench.summary.tool == "lmms-eval"


def test_what_the_model_said_and_not_what_a_filter_left(bench: Bench) -> None:
    bench.samples(["a", "b", "c"])
    bench.lines(
        [
            sample(0, resps=["  Paris. "], filtered_resps="Paris"),
            sample(1, resps=[["nested"]], filtered_resps=["x"]),
            sample(2, filtered_resps="['a', 'b']"),
        ]
    )
    assert bench.run() == 0
    assert bench.texts == ["  Paris. ", "nested", "['a', 'b']"]


def test_failures_are_states(bench: Bench) -> None:
    bench.samples(list("abcde"))
    bench.lines(
        [
            sample(0, filtered_resps="[LMMS_EVAL_REQUEST_FAILED after 3 retries] Timeout"),
            sample(1, filtered_resps="[LMMS_EVAL_BUDGET_EXCEEDED]"),
            sample(2, filtered_resps=["round one", "round two"]),
            sample(3, filtered_resps=None),
            sample(4, filtered_resps="I saw [LMMS_EVAL_REQUEST_FAILED on the page"),
        ]
    )
    assert bench.run() == 0
    assert list(bench.statuses.values()) == ["error", "skipped_budget", "error", "error", "ok"]
    first = bench.answers["a"].error
    assert first is not None and first.kind == "missing_answer" and "Timeout" in first.message
    assert bench.texts[:4] == [None] * 4


def test_tokens_and_the_tools_own_scores(bench: Bench) -> None:
    bench.samples(["a", "b"])
    tokens = [{"input_tokens": 12, "output_tokens": 3}]
    bench.lines(
        [
            sample(
                0,
                filtered_resps="x",
                token_counts=tokens,
                anls=1.0,
                detail={"score": 0.5, "why": "w"},
                note="n",
            ),
            sample(1, filtered_resps="y", token_counts=[None], anls=0.0, detail={"score": 1.0}, flag=True),
        ]
    )
    assert bench.run() == 0
    assert (bench.answers["a"].input_tokens, bench.answers["a"].output_tokens) == (12, 3)
    assert bench.answers["b"].input_tokens is None
    metrics = {name: (one.mean, one.n) for name, one in bench.summary.metrics.items()}
    assert metrics == {"anls": (0.5, 2), "detail": (0.75, 2), "flag": (1.0, 1)}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"doc_id": 0, "resps": ["a"]}\nnot json\n', "line 2"),
        (b'{"doc_id": 0, "resps": ["a"]}\n[1]\n', "line 2: not an object"),
        (b'{"resps": ["a"]}\n', "no doc_id"),
        (b'{"doc_id": 0, "resps": ["\xff"]}\n', "UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(bench: Bench, content: bytes, told: str) -> None:
    bench.samples(["0"])
    bench.source.write_bytes(content)
    assert bench.run("lmms-eval") == 2
    assert told in bench.fatal["message"]


def test_half_a_surrogate_pair_is_replaced(bench: Bench) -> None:
    bench.samples(["0"])
    bench.source.write_bytes(b'{"doc_id": 0, "filtered_resps": "a\\ud83d b \\ud83d\\ude42"}\n')
    assert bench.run() == 0
    assert bench.texts == ["a� b 🙂"]
