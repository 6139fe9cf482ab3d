"""Aggregates, slices, intervals, extraction and determinism of metrics.json and scores.jsonl."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluate_case import Item, Result, answered, evaluate, evaluate_upstream, failed, run_stage
from vlmhb_stages.contracts import Label


def coin_items(count: int) -> list[Item]:
    """Two of three are right; slices odd and even."""
    return [
        Item(
            sample_id=str(number),
            references=("yes",),
            prediction=answered(str(number), "no" if number % 3 == 0 else "yes"),
            metadata={"doc_class": "odd" if number % 2 else "even", "lang": "ru"},
        )
        for number in range(count)
    ]


def test_slices_are_sorted_and_complete(tmp_path: Path) -> None:
    result = evaluate(
        tmp_path, coin_items(12), metrics=("exact_match",), slices=("lang", "doc_class", "nothing")
    )
    found = [(one.key, one.value, one.metrics[0].n) for one in result.metrics.slices]
    assert found == [("lang", "ru", 12), ("doc_class", "even", 6), ("doc_class", "odd", 6)]
    assert [one.metrics[0].value for one in result.metrics.slices] == pytest.approx([2 / 3, 2 / 3, 2 / 3])


def test_slices_count_their_own_failures(tmp_path: Path) -> None:
    items = [
        *coin_items(6),
        Item(sample_id="x", references=("yes",), prediction=failed("x"), metadata={"lang": "ru"}),
    ]
    [only] = evaluate(tmp_path, items, metrics=("exact_match",), slices=("lang",)).metrics.slices
    [metric] = only.metrics
    assert (metric.n, metric.n_error) == (7, 1)
    assert metric.value == pytest.approx(4 / 7)
    assert metric.value_answered == pytest.approx(4 / 6)


def test_interval_surrounds_the_value(tmp_path: Path) -> None:
    result = evaluate(tmp_path, coin_items(90), metrics=("exact_match", "cer", "bleu"), bootstrap_draws=1000)
    for metric in result.metrics.metrics:
        assert metric.ci_low is not None and metric.ci_high is not None and metric.value is not None
        assert metric.ci_low < metric.value < metric.ci_high
    match = result.metrics.metrics[0]
    assert match.ci_low == pytest.approx(2 / 3 - 0.097, abs=0.03)


def test_interval_is_on_the_value_with_failures(tmp_path: Path) -> None:
    items = [
        *coin_items(60),
        *(Item(sample_id=f"f{n}", references=("y",), prediction=failed(f"f{n}")) for n in range(60)),
    ]
    [metric] = evaluate(tmp_path, items, metrics=("exact_match",)).metrics.metrics
    assert metric.ci_high is not None and metric.value_answered is not None
    assert metric.ci_high < metric.value_answered


def test_one_sample_has_no_interval(tmp_path: Path) -> None:
    [metric] = evaluate(tmp_path, coin_items(1), metrics=("exact_match",)).metrics.metrics
    assert (metric.ci_low, metric.ci_high) == (None, None)


def outputs(result: Result) -> dict[str, bytes]:
    return {
        str(path.relative_to(result.out)): path.read_bytes()
        for path in sorted(result.out.rglob("*"))
        if path.is_file() and path.name != "events.jsonl"
    }


def test_same_input_same_bytes(tmp_path: Path) -> None:
    first = evaluate_upstream(tmp_path / "a", "demo", bootstrap_draws=200)
    assert outputs(first) == outputs(evaluate_upstream(tmp_path / "b", "demo", bootstrap_draws=200))


def test_seed_changes_the_interval_only(tmp_path: Path) -> None:
    first, second = (
        evaluate(tmp_path / str(seed), coin_items(50), metrics=("cer",), seed=seed) for seed in (1, 2)
    )
    assert first.value("cer") == second.value("cer")
    intervals = [(run.metrics.metrics[0].ci_low, run.metrics.metrics[0].ci_high) for run in (first, second)]
    assert intervals[0] != intervals[1]


def test_a_slice_keeps_its_interval_when_others_go(tmp_path: Path) -> None:
    both = evaluate(tmp_path / "a", coin_items(40), metrics=("cer",), slices=("lang", "doc_class"))
    one = evaluate(tmp_path / "b", coin_items(40), metrics=("cer",), slices=("doc_class",))
    assert both.metrics.slices[1:] == one.metrics.slices


def test_primary_decides_the_matched_reference(tmp_path: Path) -> None:
    item = Item(sample_id="a", references=("abcd", "ABCX"), prediction=answered("a", "abcx"))
    by_case = evaluate(tmp_path / "a", [item], metrics=("cer", "anls"), primary="cer")
    folded = evaluate(tmp_path / "b", [item], metrics=("cer", "anls"), primary="ANLS")
    assert by_case.scores[0].matched_reference == "abcd"
    assert folded.scores[0].matched_reference == "ABCX"
    assert (by_case.metrics.primary, folded.metrics.primary) == ("cer", "anls")
    versioned = evaluate(tmp_path / "c", [item], metrics=("cer", "anls@1"), primary="anls@1")
    assert versioned.metrics.primary == "anls"


def test_metrics_named_twice_count_once(tmp_path: Path) -> None:
    result = evaluate(tmp_path, coin_items(2), metrics=("CER", "cer", "cer@1"))
    assert [metric.name for metric in result.metrics.metrics] == ["cer"]


def test_extraction_is_recorded_and_misses_are_told(tmp_path: Path) -> None:
    items = [
        Item(sample_id="a", references=("42",), prediction=answered("a", "ANSWER: 7\nso **Answer:** 42 \n")),
        Item(sample_id="b", references=("42",), prediction=answered("b", "42")),
    ]
    result = evaluate(tmp_path, items, metrics=("exact_match",), extraction="answer_marker")
    assert result.sample("exact_match") == [1.0, 1.0]
    assert [score.extracted for score in result.scores] == ["42", "42"]
    told = "answers in which answer_marker finds nothing, scored is the whole reply: 1 (b)"
    assert result.metrics.warnings == (told,)
    assert result.metrics.extraction is not None
    assert result.metrics.extraction.model_dump() == {
        "name": "answer_marker",
        "version": "1",
        "answered": 2,
        "misses": 1,
    }
    assert result.legacy("")[0]["model_answer"] == "ANSWER: 7\nso **Answer:** 42 \n"


def test_draws_without_a_defined_sample_do_not_count(tmp_path: Path) -> None:
    """A pool of nothing has CER 0: such draws would pull the interval down to it."""
    items = [Item(sample_id="a", references=("ab",), prediction=answered("a", "ax"))]
    items += [Item(sample_id=f"n{n}", references=(), prediction=answered(f"n{n}", "x")) for n in range(3)]
    (cer,) = evaluate(tmp_path, items, metrics=("cer",)).metrics.metrics
    assert (cer.value, cer.ci_low, cer.ci_high, cer.n) == (0.5, 0.5, 0.5, 1)


def test_metadata_of_the_labels_make_slices_too(tmp_path: Path) -> None:
    """A column that infer may not see, e.g. one that a card does not name."""
    item = Item(sample_id="a", references=("x",), prediction=answered("a", "x"))
    evaluate(tmp_path, [item], metrics=("cer",))
    label = Label(sample_id="a", references=("x",), metadata={"annotator": "eve"})
    (tmp_path / "in/labels/labels.jsonl").write_text(label.model_dump_json() + "\n")
    result = run_stage(tmp_path, metrics=("cer",), slices=("annotator",))
    assert [(part.key, part.value) for part in result.metrics.slices] == [("annotator", "eve")]


def test_an_answer_below_its_marker_is_found(tmp_path: Path) -> None:
    items = [Item(sample_id="a", references=("42",), prediction=answered("a", "**ANSWER:**\n42\n"))]
    result = evaluate(tmp_path, items, metrics=("exact_match",), extraction="answer_marker")
    assert result.scores[0].extracted == "42"


def test_events_tell_progress_and_end(tmp_path: Path) -> None:
    result = evaluate(
        tmp_path, [*coin_items(3), Item(sample_id="x", references=("y",), prediction=failed("x"))]
    )
    types = [event["type"] for event in result.events]
    assert types[0] == "progress" and types[-1] == "end"
    assert {"done": 4, "total": 4, "ok": 3, "error": 1}.items() <= result.events[0].items()
    assert result.events[-1]["planned"] == 4


def test_no_metrics_and_no_samples(tmp_path: Path) -> None:
    result = evaluate(tmp_path, [], metrics=())
    assert result.code == 0
    assert (result.scores, result.metrics.metrics, result.metrics.coverage) == ([], (), 0.0)


def test_thousands_of_samples_are_not_quadratic(tmp_path: Path) -> None:
    result = evaluate(tmp_path, coin_items(4000), metrics=("cer", "anls"), bootstrap_draws=100)
    assert result.value("cer") == pytest.approx(1334 * 3 / 12000)
    assert sum(event["type"] == "progress" for event in result.events) == 4


def test_kie_answers_without_json_are_told(tmp_path: Path) -> None:
    gold = '{"total": "9.30", "date": "2018-03-25"}'
    items = [
        Item(sample_id="a", references=(gold,), prediction=answered("a", f"```json\n{gold}\n```")),
        Item(sample_id="b", references=(gold,), prediction=answered("b", "I cannot read this")),
        Item(sample_id="c", references=(gold,), prediction=failed("c")),
    ]
    result = evaluate(tmp_path, items, metrics=("kie_f1", "kie_precision", "kie_recall"))
    assert result.sample("kie_f1") == [1.0, 0.0, None]
    assert result.value("kie_f1") == pytest.approx(4 / 8)
    assert result.value("kie_recall") == pytest.approx(2 / 6)
    assert result.value_answered("kie_recall") == pytest.approx(2 / 4)
    assert result.value("kie_precision") == 1.0
    assert "kie_f1: no JSON in the answer, all fields count as missed: 1 (b)" in result.metrics.warnings
