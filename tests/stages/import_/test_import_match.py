"""How rows find their samples, and that nothing gets lost on the way in silence."""

from __future__ import annotations

from typing import Any

import pytest
from import_bench import Bench


def said(number: int, text: str, prompt: str | None = None) -> dict[str, Any]:
    return {"doc_id": number, "filtered_resps": text, **({"input": prompt} if prompt else {})}


def test_surplus_missing_and_repeated_rows_are_told(bench: Bench) -> None:
    bench.samples([f"s{number}" for number in range(10)])
    bench.lines([{"sample_id": name, "text": name} for name in ("s0", "s1", "s1", "x1", "x2")])
    assert bench.run() == 0
    summary = bench.summary
    assert (summary.matched, summary.surplus.count, summary.surplus.first) == (2, 2, ("x1", "x2"))
    assert (summary.missing.count, summary.missing.first) == (8, ("s2", "s3", "s4", "s5", "s6"))
    told = "\n".join(summary.warnings)
    assert "not in the benchmark: 2 samples (x1, x2)" in told
    assert "counted as missing: 8 samples (s2, s3, s4, s5, s6, ...)" in told
    assert "1 ids come more than once" in told


def test_the_last_of_several_rows_counts(bench: Bench) -> None:
    bench.samples(["a"])
    bench.lines([said(0, "first"), said(0, "second")])
    assert bench.run() == 0
    assert bench.texts == ["second"]
    assert any("several answers" in warning for warning in bench.summary.warnings)


def test_a_position_is_no_id_although_it_looks_like_one(bench: Bench) -> None:
    """The benchmark counts from 1, the tool from 0: matched by id every answer would be its neighbour's."""
    ids = [str(number) for number in range(1, 6)]
    bench.samples(ids)
    bench.lines([said(number, f"answer {number + 1}", f"Question {number + 1}?") for number in range(5)])
    assert bench.run() == 0
    assert bench.summary.matched_by == "position"
    assert [bench.answers[name].text for name in ids] == [f"answer {name}" for name in ids]


def test_the_prompts_decide_between_two_ways_that_fit(bench: Bench) -> None:
    """The file's numbers are the benchmark's own ids, in another order than its samples."""
    ids = ["4", "3", "2", "1", "0"]
    bench.samples(ids)
    bench.lines(
        [said(number, f"answer {number}", f"Read it. Question {number}? Thanks") for number in range(5)]
    )
    assert bench.run() == 0
    assert bench.summary.matched_by == "id"
    assert bench.answers["4"].text == "answer 4"
    assert bench.run(ids="position") == 0
    assert bench.answers["4"].text == "answer 0"
    assert bench.summary.differ.count == 4  # the middle one is itself


def test_ids_by_wish(bench: Bench) -> None:
    bench.samples(["1", "2", "3"])
    bench.lines([said(1, "one"), said(2, "two")])
    assert bench.run(ids="id") == 0
    assert bench.answers["1"].text == "one"
    assert bench.run(ids="position") == 0
    assert bench.answers["2"].text == "one"
    bench.lines([{"id": "0", "text": "zero"}])
    assert bench.run("jsonl", ids="position") == 0
    assert bench.answers["1"].text == "zero"


@pytest.mark.parametrize(("prompt", "differ"), [("QUESTION  0?\n", 0), ("What?", 1)])
def test_words_around_a_question_do_not_matter(bench: Bench, prompt: str, differ: int) -> None:
    bench.samples(["0"])
    bench.lines([said(0, "x", prompt)])
    assert bench.run() == 0
    assert bench.summary.differ.count == differ


def test_a_file_of_another_benchmark_is_refused(bench: Bench) -> None:
    bench.samples(["a", "b"])
    bench.lines([{"sample_id": "x", "text": "y"}])
    assert bench.run() == 2
    assert "the file's ids are x" in bench.fatal["message"] and "a, b" in bench.fatal["message"]
    assert not (bench.root / "out" / "answers.jsonl").exists()
