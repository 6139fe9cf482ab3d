"""The rules for empty, missing and hostile input, one by one."""

from __future__ import annotations

import time

import pytest
from vlmhb_benchmarks.metrics import aggregate, get_metric
from vlmhb_benchmarks.metrics.json_answer import find_json


@pytest.mark.parametrize("name", ["cer", "wer", "cer_norm", "wer_norm", "bleu"])
@pytest.mark.parametrize("reference", ["", "  ", "\n"])
def test_blank_reference_is_flagged_and_leaves_the_pool(name: str, reference: str) -> None:
    metric = get_metric(name)
    blank = metric.score("invented", [reference])
    assert (blank.value, blank.parts, blank.flag) == (None, None, "empty_reference")
    other = metric.score("a b c d", ["a b c d e"])
    assert aggregate(metric, [blank, other]) == pytest.approx(other.value)


@pytest.mark.parametrize("name", ["cer", "wer", "cer_norm", "wer_norm"])
def test_both_empty_is_no_error(name: str) -> None:
    metric = get_metric(name)
    score = metric.score(" ", [""])
    assert score.value == 0.0
    assert aggregate(metric, [score]) == 0.0


@pytest.mark.parametrize("name", ["cer", "wer", "cer_norm", "wer_norm", "bleu"])
def test_missing_answer_with_a_blank_reference_is_undefined(name: str) -> None:
    assert get_metric(name).missing([" "]).flag == "empty_reference"


@pytest.mark.parametrize("name", ["anls", "anls_docvqa", "exact_match", "edit_similarity"])
def test_missing_is_wrong_even_where_silence_would_be_right(name: str) -> None:
    metric = get_metric(name)
    assert metric.score("", [""]).value == 1.0
    assert metric.missing([""]).value == 0.0


def test_pooled_rate_is_not_the_mean_of_rates() -> None:
    metric = get_metric("cer")
    scores = [metric.score("x", ["a"]), metric.score("abcdefghi", ["abcdefghi"])]
    assert aggregate(metric, scores) == pytest.approx(0.1)


def test_nothing_defined_has_no_aggregate() -> None:
    metric = get_metric("cer")
    assert aggregate(metric, []) is None
    assert aggregate(metric, [metric.score("x", [""])]) is None


def test_the_reference_that_was_matched_is_told() -> None:
    for name in ("cer", "anls", "exact_match", "edit_similarity"):
        assert get_metric(name).score("kot", ["cat", "kot"]).matched_reference == "kot"


def test_padding_raises_the_official_anls_but_not_ours() -> None:
    wrong = "abc" + " " * 97
    assert get_metric("anls_docvqa").score(wrong, ["xyz"]).value == pytest.approx(0.97)
    assert get_metric("anls").score(wrong, ["xyz"]).value == 0.0


def test_a_perfect_short_answer_has_full_bleu() -> None:
    """Without effective order it would be 0, as upstream has it."""
    assert get_metric("bleu").score("Иванов", ["Иванов"]).value == pytest.approx(100.0)


def test_bleu_direction() -> None:
    metric = get_metric("bleu")
    long, short = "the cat is on the mat and it sleeps", "the cat is on the mat"
    assert metric.score(long, [short]).value == pytest.approx(58.74, abs=0.01)
    assert metric.score(short, [long]).value == pytest.approx(60.65, abs=0.01)


def test_missing_answers_lower_corpus_bleu() -> None:
    metric = get_metric("bleu")
    good = metric.score("one two three four five", ["one two three four five"])
    assert aggregate(metric, [good]) == pytest.approx(100.0)
    assert (aggregate(metric, [good, metric.missing(["six seven eight nine ten"])]) or 0) < 50


def test_answer_without_json_is_flagged() -> None:
    score = get_metric("kie_f1").score("sorry", ['{"a": "x"}'])
    assert (score.value, score.parts, score.flag) == (0.0, (0.0, 0.0, 1.0), "invalid_json")


@pytest.mark.parametrize("name", ["kie_f1", "kie_precision", "kie_recall"])
def test_kie_silence_is_wrong_though_one_reference_has_no_field(name: str) -> None:
    """The other reference has: a missing answer must not leave the pool."""
    references = ["{}", '{"a": "x"}']
    missing, prose = get_metric(name).missing(references), get_metric(name).score("sorry", references)
    assert missing.value == prose.value == 0.0
    assert missing.parts == prose.parts == (0.0, 0.0, 1.0)
    assert get_metric(name).missing(["{}"]).flag == "empty_reference"
    assert get_metric(name).score("{}", references).value == 1.0


def test_kie_keys_and_values_ignore_the_amount_of_white_space() -> None:
    score = get_metric("kie_f1").score('{" total  sum": "1  000"}', ['{"total sum": "1 000"}'])
    assert score.value == 1.0


def test_pages_of_text_are_scored_quickly() -> None:
    """40,000 characters against 40,000: minutes in pure Python, and never cut."""
    text = "абвгд 12345 " * 3400
    started = time.monotonic()
    assert get_metric("cer").score(text + "x", [text + "y"]).parts == (1.0, len(text) + 1.0)
    assert get_metric("anls").score(text, [text[::-1]]).value is not None
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "answer", ["{" * 50_000, '{"a":' * 50_000, "[" * 50_000, "```" * 20_000, "`" * 50_000]
)
def test_hostile_json_costs_no_time_and_no_crash(answer: str) -> None:
    started = time.monotonic()
    assert find_json(answer) is None
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('{"a": 1.50}', {"a": "1.50"}),
        ('[{"a": "x"}]', [{"a": "x"}]),
        ('text ```json\n{"a": "x"}\n``` text ```json\n{"a": "y"}\n```', {"a": "x"}),
        ('first {"a": "x"} then {"a": "y"}', {"a": "x"}),
        ('{"a": "line\nbreak"}', {"a": "line\nbreak"}),
        ("12", None),
        ("null", None),
        ('{"a": "x",}', None),
        ("{'a': 'x'}", None),
    ],
)
def test_json_is_found(answer: str, found: object) -> None:
    assert find_json(answer) == found
