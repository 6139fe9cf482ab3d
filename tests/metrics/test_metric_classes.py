"""Class metrics: equal to scikit-learn on any labels, names and indices, classes outside the list."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score
from vlmhb_benchmarks.metrics import Metric, aggregate, get_metric
from vlmhb_benchmarks.metrics.base import Context, ContextMetric, FittedMetric, MetricError, sum_parts
from vlmhb_benchmarks.metrics.classes.labels import class_of
from vlmhb_benchmarks.metrics.classes.rates import MAX_CLASSES

RATES = ("class_f1_macro", "class_f1_weighted", "class_precision_weighted", "class_recall_weighted")
law = settings(deadline=None, max_examples=100, derandomize=True)
LABEL = st.sampled_from(["act", "bill", "cert", "deed"])
ANSWER = st.one_of(LABEL, st.sampled_from(["None", "zebra"]))
PAIRS = st.lists(st.tuples(LABEL, ANSWER), min_size=1, max_size=25)


def fitted(name: str, labels: list[str]) -> Metric:
    metric = get_metric(name)
    assert isinstance(metric, FittedMetric)
    return metric.fit([[label] for label in labels])


def bound(metric: Metric, *choices: str) -> Metric:
    assert isinstance(metric, ContextMetric)
    return metric.in_context(Context(choices=choices))


def sklearn(name: str, right: list[str], given_: list[str]) -> float:
    functions = {"f1": f1_score, "precision": precision_score, "recall": recall_score}
    _, rate, mean = name.split("_")
    labels = sorted(set(right)) if mean == "macro" else None
    return float(functions[rate](right, given_, labels=labels, average=mean, zero_division=0))


@pytest.mark.parametrize("name", RATES)
@law
@given(pairs=PAIRS)
def test_equal_to_scikit_learn(name: str, pairs: list[tuple[str, str]]) -> None:
    right, answers = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    metric = fitted(name, right)
    scores = [metric.score(answer, [label]) for label, answer in pairs]
    outside = [answer if answer in right else "None" for answer in answers]
    assert aggregate(metric, scores) == pytest.approx(sklearn(name, right, outside))
    accuracy = get_metric("class_accuracy")
    shares = [accuracy.score(answer, [label]) for label, answer in pairs]
    assert aggregate(accuracy, shares) == pytest.approx(accuracy_score(right, answers))


@pytest.mark.parametrize("name", RATES)
@law
@given(pairs=PAIRS, cut=st.integers(0, 25))
def test_a_part_of_the_samples_is_scored_as_if_alone(
    name: str, pairs: list[tuple[str, str]], cut: int
) -> None:
    """A slice or a bootstrap draw may lack classes that the whole set has."""
    metric = fitted(name, [label for label, _ in pairs])
    part = pairs[cut % len(pairs) :]
    right = [label for label, _ in part]
    given_ = [answer if answer in {label for label, _ in pairs} else "None" for _, answer in part]
    scores = [metric.score(answer, [label]) for label, answer in part]
    assert aggregate(metric, scores) == pytest.approx(sklearn(name, right, given_))


@pytest.mark.parametrize("name", RATES)
def test_no_answer_is_a_miss(name: str) -> None:
    metric = fitted(name, ["a", "b"])
    assert metric.missing(["a"]).parts == metric.score("zebra", ["a"]).parts == (0, 0, 0, 0, 1, 0)
    assert metric.score("b", ["a"]).parts == (0, 0, 0, 1, 1, 0)
    assert metric.score("a", ["a"]).parts == (1, 0, 0, 0, 0, 0)
    assert metric.from_totals([0.0] * 6) is None


def test_names_and_indices_meet_in_the_prompts_list() -> None:
    choices = ("Счёт", "Паспорт")
    for reference in ("Паспорт", "1"):
        for name in ("class_accuracy", *RATES):
            metric = get_metric(name)
            if isinstance(metric, FittedMetric):
                metric = metric.fit([["0"], [reference]])
            for answer in ("1", "паспорт", "«Паспорт».", " 1\n"):
                assert bound(metric, *choices).score(answer, [reference]).value == 1.0
            for answer in ("0", "счет", "2", "", "-1", "None"):
                assert bound(metric, *choices).score(answer, [reference]).value == 0.0


def test_a_class_that_is_a_number_comes_before_an_index() -> None:
    choices = ("2019", "1", "0")
    assert class_of("1", choices=choices) == "1"
    assert class_of("0", choices=choices) == "0"
    assert class_of("2", choices=choices) == "0"
    assert class_of("²", choices=choices) == "²"


def test_any_of_several_references_is_right() -> None:
    metric = fitted("class_f1_macro", ["a", "b"])
    found = metric.score("b", ["a", "b"])
    assert (found.value, found.matched_reference, found.parts) == (1.0, "b", (0, 1, 0, 0, 0, 0))
    assert metric.score("x", [" ", "b"]).parts == (0, 0, 0, 0, 0, 1)


def test_blank_references_are_undefined() -> None:
    for name in ("class_accuracy", *RATES):
        metric = get_metric(name)
        assert metric.score("a", [" "]).flag == "empty_reference"
        assert metric.missing([""]).flag == "empty_reference"
        assert metric.score("a", []).flag == "no_reference"


def test_free_text_is_no_list_of_classes() -> None:
    metric = get_metric("class_f1_weighted")
    assert isinstance(metric, FittedMetric)
    allowed = metric.fit([[f"class {number}"] for number in range(MAX_CLASSES)] + [[""]])
    scored = allowed.score("class 7", ["class 7"])
    assert scored.parts is not None and len(scored.parts) == 3 * MAX_CLASSES
    with pytest.raises(MetricError, match="more than 500 different references") as error:
        metric.fit([f"class {number}"] for number in range(MAX_CLASSES + 2))
    assert "exact_match" in error.value.hint


def test_parts_add_up_over_samples_in_any_order() -> None:
    metric = fitted("class_f1_macro", ["a", "b"])
    scores = [metric.score(answer, [label]) for label, answer in (("a", "a"), ("a", "b"), ("b", "b"))]
    totals = sum_parts(score.parts for score in scores if score.parts is not None)
    assert totals == (1, 1, 0, 1, 1, 0)
    assert metric.from_totals(totals) == pytest.approx(2 / 3)
