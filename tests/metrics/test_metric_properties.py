"""Laws that hold for every text: bounds, identity, order of samples and references, totals of parts."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from vlmhb_benchmarks.metrics import Metric, aggregate, get_metric
from vlmhb_benchmarks.metrics.base import sum_parts
from vlmhb_benchmarks.metrics.registry import BUILT_IN
from vlmhb_benchmarks.metrics.text import normalise

PROSE = st.text(alphabet=st.sampled_from("abй ёЁ«»\"'\n\t\u00a0.{}:,1ß😀\u0306\0"), max_size=20)
LEAF = st.one_of(st.none(), st.booleans(), st.integers(0, 12), st.sampled_from(["", "x", " x ", "y"]))
VALUE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
JSON = st.dictionaries(st.sampled_from(["a", "b", "value"]), VALUE, max_size=3).map(json.dumps)
TEXT = st.one_of(PROSE, JSON)
TEXTS = st.lists(TEXT, min_size=1, max_size=4)
METRICS = [pytest.param(metric, id=metric.info.name) for metric in BUILT_IN]
ERROR_RATES = ("cer", "wer", "cer_norm", "wer_norm")
law = settings(deadline=None, max_examples=60, derandomize=True)


@pytest.mark.parametrize("metric", METRICS)
@law
@given(answer=TEXT, references=TEXTS)
def test_bounds(metric: Metric, answer: str, references: list[str]) -> None:
    value = metric.score(answer, references).value
    if value is not None:
        assert value >= metric.info.lowest
        if metric.info.highest is not None:
            assert value <= metric.info.highest + 1e-9


@pytest.mark.parametrize("metric", METRICS)
@law
@given(text=TEXT)
def test_a_text_is_right_about_itself(metric: Metric, text: str) -> None:
    value = metric.score(text, [text]).value
    if value is None:
        return
    perfect = 0.0 if metric.info.direction == "lower" else (metric.info.highest or 0.0)
    assert value == pytest.approx(perfect)


@pytest.mark.parametrize("metric", METRICS)
@law
@given(answer=TEXT, references=TEXTS, seed=st.integers(0, 9))
def test_order_of_references_does_not_matter(
    metric: Metric, answer: str, references: list[str], seed: int
) -> None:
    shuffled = random.Random(seed).sample(references, len(references))
    assert metric.score(answer, references).value == metric.score(answer, shuffled).value


@pytest.mark.parametrize("metric", METRICS)
@law
@given(pairs=st.lists(st.tuples(TEXT, TEXTS), min_size=1, max_size=6), seed=st.integers(0, 9))
def test_order_of_samples_does_not_matter(
    metric: Metric, pairs: list[tuple[str, list[str]]], seed: int
) -> None:
    scores = [metric.score(answer, references) for answer, references in pairs]
    shuffled = random.Random(seed).sample(scores, len(scores))
    assert aggregate(metric, scores) == aggregate(metric, shuffled)


@pytest.mark.parametrize("metric", METRICS)
@law
@given(answer=TEXT, references=TEXTS)
def test_parts_of_one_sample_give_its_value(metric: Metric, answer: str, references: list[str]) -> None:
    score = metric.score(answer, references)
    if score.parts is not None and any(score.parts):
        assert metric.from_totals(sum_parts([score.parts])) == pytest.approx(score.value)


@pytest.mark.parametrize("metric", METRICS)
@law
@given(references=TEXTS)
def test_no_answer_is_never_right(metric: Metric, references: list[str]) -> None:
    score = metric.missing(references)
    if score.value is None:
        return
    assert score.value == (1.0 if metric.info.direction == "lower" else 0.0)


@pytest.mark.parametrize("name", ERROR_RATES)
@law
@given(references=TEXTS)
def test_an_empty_answer_deletes_everything(name: str, references: list[str]) -> None:
    metric = get_metric(name)
    assume(all(metric.missing([text]).value is not None for text in references))
    assert metric.score("", references).value == 1.0


@law
@given(answer=TEXT, reference=TEXT)
def test_edit_similarity_is_symmetric(answer: str, reference: str) -> None:
    metric = get_metric("edit_similarity")
    assert metric.score(answer, [reference]).value == metric.score(reference, [answer]).value


@law
@given(answer=TEXT, reference=TEXT, padding=st.text(alphabet=" \n\t", max_size=50))
def test_padding_never_changes_anls(answer: str, reference: str, padding: str) -> None:
    metric = get_metric("anls")
    padded = padding + answer + padding
    assert metric.score(padded, [reference]).value == metric.score(answer, [reference]).value


@law
@given(text=st.text(max_size=40))
def test_normalisation_is_idempotent(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)
