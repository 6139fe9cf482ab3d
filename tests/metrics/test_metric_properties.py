"""Laws that hold for every registered metric and every text: bounds, identity, order, totals of parts, batches."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from metric_scope import fitted
from vlmhb_benchmarks.metrics import Metric, aggregate, get_metric
from vlmhb_benchmarks.metrics.base import BatchMetric, Context, ContextMetric, sum_parts
from vlmhb_benchmarks.metrics.batch import score_all
from vlmhb_benchmarks.metrics.registry import BUILT_IN
from vlmhb_benchmarks.metrics.text import normalise

PROSE = st.text(alphabet=st.sampled_from("abй ёЁ«»\"'\n\t\u00a0.{}:,1ß😀\u0306\0%$"), max_size=20)
LEAF = st.one_of(st.none(), st.booleans(), st.integers(0, 12), st.sampled_from(["", "x", " x ", "y"]))
VALUE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
JSON = st.dictionaries(st.sampled_from(["a", "b", "value"]), VALUE, max_size=3).map(json.dumps)
PAGES = st.permutations([1, 2, 3, 4]).map(json.dumps)
BOX = st.lists(st.integers(0, 1000), min_size=4, max_size=4).map(json.dumps)
WORDS = st.lists(st.sampled_from(["yes", "no", "the", "cat", "runs", "running", "42", "Ёж"]), max_size=8).map(
    " ".join
)
CELL = st.sampled_from(["", "x", "1", "x<br>"])
ROW = st.lists(CELL, min_size=1, max_size=3).map(lambda row: "".join(f"<td>{cell}</td>" for cell in row))
TABLE = st.lists(ROW, min_size=1, max_size=3).map(
    lambda rows: f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
)
TEXT = st.one_of(PROSE, JSON, PAGES, BOX, WORDS, TABLE)
TEXTS = st.lists(TEXT, min_size=1, max_size=4)
PAIRS = st.lists(st.tuples(TEXT, TEXTS), min_size=1, max_size=6)
METRICS = [pytest.param(metric, id=metric.info.name) for metric in BUILT_IN]
# Those with a rule of their own, and one that stands for all others: their batches are `score` of each pair.
BATCHED = [
    metric for metric in METRICS if isinstance(metric.values[0], BatchMetric) or metric.id == "token_f1"
]
CONTEXTUAL = [metric for metric in METRICS if isinstance(metric.values[0], ContextMetric)]
ERROR_RATES = ("cer", "wer", "cer_norm", "wer_norm")
SYMMETRIC = (
    *("edit_similarity", "edit_similarity_norm", "exact_match", "exact_match_norm", "accuracy"),
    *("anls", "anls_docvqa", "anls_evalscope", "anls_strict", "token_f1", "bag_f1", "rouge_l", "teds", "iou"),
)
FIRST_REFERENCE_ONLY = {"cc_ocr_kie"}  # its data set has one, and the official scorer knows no other
# Where even the reference itself is not the best answer, and why.
IMPERFECT = {
    "meteor": "one chunk of m words costs 0.5/m³",
    "cider": "texts under four words lack n-grams",
    "vqa_accuracy": "one vote never confirms itself",
    "vqa_accuracy_v1": "one vote never confirms itself",
    "vqa_accuracy_simple": "three votes are needed",
    "json_valid": "the answer must be JSON, whatever the reference is",
    "cc_ocr_kie": "two documents without a field have 0, as the official scorer gives",
    "structural_fidelity": "the answer must fit the schema, whatever the reference is",
}
law = settings(deadline=None, max_examples=40, derandomize=True)
slow_law = settings(law, max_examples=15)  # whole lists of samples take long to make


def in_use(metric: Metric, references: list[list[str]]) -> Metric:
    """As an evaluation of those references would have it."""
    return fitted(metric, references)


@pytest.mark.parametrize("metric", METRICS)
@law
@given(answer=TEXT, references=TEXTS)
def test_bounds(metric: Metric, answer: str, references: list[str]) -> None:
    value = in_use(metric, [references]).score(answer, references).value
    if value is not None:
        assert value >= metric.info.lowest
        if metric.info.highest is not None:
            assert value <= metric.info.highest + 1e-9


@pytest.mark.parametrize(
    "metric", [metric for metric in METRICS if metric.values[0].info.name not in IMPERFECT]
)
@law
@given(text=TEXT)
def test_a_text_is_right_about_itself(metric: Metric, text: str) -> None:
    value = in_use(metric, [[text]]).score(text, [text]).value
    if value is None:
        return
    perfect = 0.0 if metric.info.direction == "lower" else (metric.info.highest or 0.0)
    assert value == pytest.approx(perfect)


@pytest.mark.parametrize("name", sorted(IMPERFECT))
@law
@given(answer=TEXT, text=TEXT)
def test_nothing_beats_the_reference(name: str, answer: str, text: str) -> None:
    metric = in_use(get_metric(name), [[text], ["other words"]])
    own, other = metric.score(text, [text]).value, metric.score(answer, [text]).value
    if (
        own is not None
        and other is not None
        and name not in ("json_valid", "structural_fidelity", "cc_ocr_kie")
    ):
        assert own >= other - 1e-9


@pytest.mark.parametrize(
    "metric", [metric for metric in METRICS if metric.values[0].info.name not in FIRST_REFERENCE_ONLY]
)
@law
@given(answer=TEXT, references=TEXTS, seed=st.integers(0, 9))
def test_order_of_references_does_not_matter(
    metric: Metric, answer: str, references: list[str], seed: int
) -> None:
    used = in_use(metric, [references])
    shuffled = random.Random(seed).sample(references, len(references))
    assert used.score(answer, references).value == pytest.approx(used.score(answer, shuffled).value)


@pytest.mark.parametrize("metric", METRICS)
@slow_law
@given(pairs=PAIRS, seed=st.integers(0, 9))
def test_order_of_samples_does_not_matter(
    metric: Metric, pairs: list[tuple[str, list[str]]], seed: int
) -> None:
    shuffled = random.Random(seed).sample(pairs, len(pairs))
    first, second = (in_use(metric, [references for _, references in order]) for order in (pairs, shuffled))
    scores = [first.score(answer, references) for answer, references in pairs]
    others = [second.score(answer, references) for answer, references in shuffled]
    assert aggregate(first, scores) == pytest.approx(aggregate(second, others))


@pytest.mark.parametrize("metric", METRICS)
@law
@given(answer=TEXT, references=TEXTS)
def test_parts_of_one_sample_give_its_value(metric: Metric, answer: str, references: list[str]) -> None:
    used = in_use(metric, [references])
    score = used.score(answer, references)
    assert (score.value is None) == (score.parts is None)
    if score.parts is not None and any(score.parts):
        assert used.from_totals(sum_parts([score.parts])) == pytest.approx(score.value)


@pytest.mark.parametrize("metric", METRICS)
@law
@given(references=TEXTS)
def test_no_answer_is_never_right(metric: Metric, references: list[str]) -> None:
    score = in_use(metric, [references]).missing(references)
    if score.value is None:
        return
    assert score.value == (1.0 if metric.info.direction == "lower" else 0.0)


@pytest.mark.parametrize("metric", BATCHED)
@law
@given(pairs=st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=3)), max_size=6))
def test_a_batch_equals_one_by_one(metric: Metric, pairs: list[tuple[str, list[str]]]) -> None:
    answers, references = [answer for answer, _ in pairs], [texts for _, texts in pairs]
    used = in_use(metric, references)
    batch = score_all(used, answers, references)
    assert list(batch) == [used.score(answer, texts) for answer, texts in pairs]
    assert len(batch) == len(pairs) == len(batch.values) == len(batch.parts)


@pytest.mark.parametrize("metric", BATCHED)
@law
@given(pairs=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6))
def test_a_batch_of_single_references_equals_one_by_one(metric: Metric, pairs: list[tuple[str, str]]) -> None:
    answers, references = [answer for answer, _ in pairs], [[text] for _, text in pairs]
    used = in_use(metric, references)
    expected = [used.score(answer, texts) for answer, texts in zip(answers, references, strict=True)]
    assert list(score_all(used, answers, references)) == expected


@pytest.mark.parametrize("metric", CONTEXTUAL)
@law
@given(answer=TEXT, references=TEXTS)
def test_a_context_that_says_nothing_changes_nothing(
    metric: Metric, answer: str, references: list[str]
) -> None:
    assert isinstance(metric, ContextMetric)
    plain = metric.in_context(Context())
    assert plain.info == metric.info
    assert plain.score(answer, references) == metric.score(answer, references)


@pytest.mark.parametrize("metric", METRICS)
def test_without_references_nothing_is_right(metric: Metric) -> None:
    used = in_use(metric, [["a b c"]])
    for score in (used.score("a b c", []), used.missing([])):
        assert score.value in (None, metric.info.lowest)


@pytest.mark.parametrize("name", ERROR_RATES)
@law
@given(references=TEXTS)
def test_an_empty_answer_deletes_everything(name: str, references: list[str]) -> None:
    metric = get_metric(name)
    assume(all(metric.missing([text]).value is not None for text in references))
    assert metric.score("", references).value == 1.0


@pytest.mark.parametrize("name", SYMMETRIC)
@law
@given(answer=TEXT, reference=TEXT)
def test_symmetry(name: str, answer: str, reference: str) -> None:
    metric = get_metric(name)
    one, other = metric.score(answer, [reference]).value, metric.score(reference, [answer]).value
    if one is not None and other is not None:
        assert one == pytest.approx(other)


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
