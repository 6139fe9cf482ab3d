"""The rules of metrics over data: what is JSON, whose field it is, what a missing answer costs."""

from __future__ import annotations

import json
import time

import pytest
from pydantic import BaseModel
from vlmhb_benchmarks.metrics import aggregate, get_metric
from vlmhb_benchmarks.metrics.base import Context, ContextMetric, FieldMetric, Metric, SampleScore
from vlmhb_benchmarks.metrics.fields import from_pydantic, from_schema
from vlmhb_benchmarks.metrics.fields.values import normalise_value
from vlmhb_benchmarks.metrics.json_answer import find_json, find_typed_json

GOLD = json.dumps(
    {
        "menu": [{"nm": "tea", "price": "1"}, {"nm": "pie", "price": "2"}, {"nm": "jam", "price": "3"}],
        "total": "6",
    }
)


def by_field(name: str, prediction: str | None, references: list[str]) -> dict[str, SampleScore]:
    metric = get_metric(name)
    assert isinstance(metric, FieldMetric)
    return dict(metric.by_field(prediction, references))


@pytest.mark.parametrize(
    "answer",
    [
        '{"a": {"b": "1"}, "c": ',
        '[{"a": "x"}, {"a": "y"',
        'Here: {"a": {"b": "1"}, "c": "cut of',
        '```json\n{"a": {"b": "1"}, "c":',
        '{\'a\': {"b": "1"}}',
        '{"a": {"b": "1"},}',
    ],
)
def test_what_stands_inside_a_broken_value_is_not_read_in_its_place(answer: str) -> None:
    assert find_json(answer) is None
    score = get_metric("kie_f1").score(answer, ['{"b": "1"}'])
    assert (score.value, score.flag) == (0.0, "invalid_json")


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('Items: [{"a": "x"}, {"a": "y"}].', [{"a": "x"}, {"a": "y"}]),
        ('As [1] says: {"a": "x"}', {"a": "x"}),
        ('{} or rather {"a": "x"}', {"a": "x"}),
        ('\\frac{1}{2} and {"a": "x"}', {"a": "x"}),
        ("nothing but {}", {}),
    ],
)
def test_values_in_prose(answer: str, found: object) -> None:
    assert find_json(answer) == found


def test_numbers_stay_numbers_for_a_schema_and_texts_for_fields() -> None:
    assert find_json('{"a": 1.50}') == {"a": "1.50"}
    assert find_typed_json('{"a": 1.50}') == {"a": 1.5}
    assert find_typed_json('{"a": ' + "9" * 5000 + "}") is None


def test_fields_are_counted_one_by_one() -> None:
    scores = by_field("kie_f1", '{"a": "x", "b": "no"}', ['{"a": "x", "b": "y", "c": "z"}'])
    assert {name: score.parts for name, score in scores.items()} == {
        "a": (1.0, 0.0, 0.0),
        "b": (0.0, 1.0, 1.0),
        "c": (0.0, 0.0, 1.0),
    }


@pytest.mark.parametrize("name", ["kie_f1", "kie_precision", "kie_recall", "kie_f1_norm", "kie_list_f1"])
@pytest.mark.parametrize("answer", ['{"menu": [{"nm": "tea", "price": "9"}], "x": "1"}', "no json", "{}"])
def test_the_fields_add_up_to_the_document(name: str, answer: str) -> None:
    whole = get_metric(name).score(answer, [GOLD])
    parts = [score.parts for score in by_field(name, answer, [GOLD]).values() if score.parts]
    assert whole.parts == tuple(map(sum, zip(*parts, strict=True)))


@pytest.mark.parametrize("name", ["kie_f1", "kie_f1_macro", "kie_list_f1", "entity_f1", "field_accuracy"])
def test_no_answer_has_every_gold_field_wrong(name: str) -> None:
    scores = by_field(name, None, ['{"a": "x", "b": ""}'])
    assert scores["a"].value == 0.0
    assert all(score.value == 0.0 for score in scores.values())


def test_missing_answers_lower_recall_and_f1_and_leave_precision_alone() -> None:
    right, gold = '{"a": "x"}', ['{"a": "x"}']
    values = {}
    for name in ("kie_precision", "kie_recall", "kie_f1"):
        metric = get_metric(name)
        values[name] = aggregate(metric, [metric.score(right, gold), metric.missing(gold)])
    assert values == {"kie_precision": 1.0, "kie_recall": 0.5, "kie_f1": pytest.approx(2 / 3)}
    assert get_metric("kie_precision").missing(gold).value == 0.0
    assert "out of the pool" in get_metric("kie_precision").info.empty_rule


def test_macro_weighs_documents_and_micro_fields() -> None:
    answers = ['{"a": "x"}', "{}"]
    golds = [['{"a": "x"}'], ['{"a": "1", "b": "2", "c": "3"}']]
    found = {}
    for name in ("kie_f1", "kie_f1_macro"):
        metric = get_metric(name)
        pairs = zip(answers, golds, strict=True)
        found[name] = aggregate(metric, [metric.score(answer, gold) for answer, gold in pairs])
    assert found == {"kie_f1": pytest.approx(2 / 5), "kie_f1_macro": 0.5}


def test_the_order_of_items_is_free_but_not_what_belongs_together() -> None:
    turned = json.loads(GOLD)
    turned["menu"].reverse()
    mixed = json.loads(GOLD)
    mixed["menu"][0]["price"], mixed["menu"][1]["price"] = "2", "1"
    metric = get_metric("kie_list_f1")
    assert metric.score(json.dumps(turned), [GOLD]).value == 1.0
    assert metric.score(json.dumps(mixed), [GOLD]).value == pytest.approx(2 * 5 / 14)
    assert get_metric("kie_f1").score(json.dumps(mixed), [GOLD]).value == 1.0


def test_a_missing_item_costs_its_own_fields_only() -> None:
    answer = json.loads(GOLD)
    del answer["menu"][0]
    assert get_metric("kie_list_f1").score(json.dumps(answer), [GOLD]).parts == (5.0, 0.0, 2.0)


def test_long_lists_are_paired_in_time() -> None:
    gold = json.dumps({"items": [{"n": f"item {number}", "p": str(number % 7)} for number in range(300)]})
    answer = json.dumps(
        {"items": [{"n": f"item {number}", "p": str(number % 5)} for number in range(300, 0, -1)]}
    )
    started = time.monotonic()
    score = get_metric("kie_list_f1").score(answer, [gold])
    assert score.parts is not None
    assert score.parts[0] >= 299
    assert time.monotonic() - started < 30


def test_a_flood_of_fields_costs_the_tree_metric_no_time() -> None:
    """Twice the gold's weight is as far away as nothing at all."""
    flood = json.dumps({"menu": [{"nm": "x" * 20} for _ in range(20_000)]})
    started = time.monotonic()
    assert get_metric("kie_ted").score(flood, [GOLD]).value == 0.0
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("1 000,00 ₽", "1000"),
        ("1,234", "1234"),
        ("1.234", "1.234"),
        ("5 %", "5%"),
        ("0044", "0044"),
        ("4505 679944", "4505 679944"),
        ("1/31/2020", "2020-01-31"),
        ("31.02.2020", "31.02.2020"),
        ("Ёлка", "елка"),
    ],
)
def test_forms_of_values(written: str, form: str) -> None:
    assert normalise_value(written) == form


def test_entities_are_told_by_label() -> None:
    gold = '[{"label": "Total", "text": "5"}, {"label": "Total", "text": "6"}]'
    assert by_field("entity_f1", '{"total": ["5"]}', [gold])["total"].parts == (1.0, 0.0, 1.0)


class Invoice(BaseModel):
    number: str
    total: float


def test_a_pydantic_model_is_a_metric_of_ones_own() -> None:
    metric = from_pydantic(Invoice, name="invoice_ok")
    assert isinstance(metric, Metric)
    assert metric.info.name == "invoice_ok"
    assert metric.score('{"number": "7", "total": 1.5}', []).value == 1.0
    assert metric.score('{"number": 7, "total": 1.5}', []).flag == "invalid_structure"


def test_a_schema_of_the_metric_wins_over_the_samples_own() -> None:
    metric = from_schema({"type": "array"}, name="list_ok")
    bound = metric.in_context(Context(response_schema={"type": "object"}))
    assert bound.score("[]", []).value == 1.0


def test_fidelity_takes_the_samples_schema() -> None:
    metric = get_metric("structural_fidelity")
    assert isinstance(metric, ContextMetric)
    assert metric.score('{"a": 1}', []).flag == "no_schema"
    bound = metric.in_context(Context(response_schema={"type": "object", "required": ["b"]}))
    assert bound.score('{"a": 1}', []).flag == "invalid_structure"
    assert bound.score("{'b': 1}", []).flag == "invalid_json"
    assert bound.missing([]).value == 0.0


def test_a_schema_elsewhere_is_never_fetched() -> None:
    metric = get_metric("structural_fidelity")
    assert isinstance(metric, ContextMetric)
    bound = metric.in_context(Context(response_schema={"$ref": "http://127.0.0.1:9/schema.json"}))
    assert bound.score("{}", ["{}"]).flag == "invalid_reference"


def test_an_invoice_is_compared_by_place_and_surplus_items_are_free() -> None:
    gold = '{"items": [{"name": "bolt"}, {"name": "nut"}]}'
    metric = get_metric("invoice_accuracy")
    assert (
        metric.score('{"items": [{"name": "bolt"}, {"name": "nut"}, {"name": "more"}]}', [gold]).value == 1.0
    )
    assert metric.score('{"items": [{"name": "nut"}, {"name": "bolt"}]}', [gold]).value == pytest.approx(
        24 / 26
    )
    assert metric.missing([gold]).value == 0.0


@pytest.mark.parametrize("empty", ["{}", "[]", '{"a": {}}', '{"a": []}', "[[1]]"])
def test_a_tree_without_values_is_empty_for_answers_and_for_silence(empty: str) -> None:
    metric = get_metric("kie_ted")
    assert metric.score("{}", [empty]).value == 1.0
    assert metric.score('{"a": "x"}', [empty]).flag == metric.missing([empty]).flag == "empty_reference"
    assert metric.missing([empty, GOLD]).value == 0.0


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_without_a_value_is_no_multiple_of_anything(number: str) -> None:
    metric = from_schema({"properties": {"price": {"multipleOf": 0.01}}}, name="price_ok")
    assert metric.score(f'{{"price": {number}}}', []).value == 0.0
    assert metric.score('{"price": 0.5}', []).value == 1.0


def test_a_schema_that_refers_to_itself_for_ever_is_none() -> None:
    score = from_schema({"$ref": "#"}, name="endless").score("{}", [])
    assert (score.value, score.flag) == (None, "invalid_reference")
