"""The rules of composite benchmarks: the rule follows the question, and what has no rule is never scored by another."""

from __future__ import annotations

import json
import time

import pytest
from vlmhb_benchmarks.metrics import Metric, aggregate, get_metric
from vlmhb_benchmarks.metrics.base import Context, ContextMetric
from vlmhb_benchmarks.metrics.suites.ocrbench_v2.data import answered_fields
from vlmhb_benchmarks.metrics.suites.ocrbench_v2.metric import RULES
from vlmhb_benchmarks.metrics.suites.olmocr.near import find_near
from vlmhb_benchmarks.ocrbench_v2_types import TYPES

CHART = {"A": {"2019": "10", "2020": "12"}, "B": {"2019": "7", "2020": "3"}}
TEXT = "Cats are small animals that live with people. They sleep a lot."
TABLE = "<table><tr><td>a</td><td>b</td></tr></table>"


def ocrbench(kind: str, *, question: str = "", **metadata: str) -> Metric:
    return bound("ocrbench_v2", question=question, type=kind, **metadata)


def bound(name: str, *, question: str = "", **metadata: str) -> Metric:
    metric = get_metric(name)
    assert isinstance(metric, ContextMetric)
    return metric.in_context(Context(metadata=metadata, question=question))


def page(*texts: str, header: str = "") -> str:
    elements = [
        {"category_type": "text_block", "order": order, "anno_id": order, "text": text}
        for order, text in enumerate(texts, start=1)
    ]
    if header:
        elements.append({"category_type": "header", "order": 0, "anno_id": 0, "text": header})
    return json.dumps({"layout_dets": elements, "extra": {"relation": []}})


def test_every_type_has_a_rule_and_a_place() -> None:
    assert set(RULES) == set(TYPES)
    assert len(TYPES) == 30


@pytest.mark.parametrize("reference", [json.dumps(CHART), repr(CHART), json.dumps(json.dumps(CHART))])
def test_a_wrong_chart_is_wrong_though_the_reference_is_a_text(reference: str) -> None:
    metric = ocrbench("chart parsing en")
    wrong = metric.score('{"wrong": {"chart": "entirely"}}', [reference]).value
    assert wrong is not None
    assert wrong < 0.6
    assert metric.score(repr(CHART), [reference]).value == 1.0


def test_a_chart_reference_that_cannot_be_read_is_flagged_whatever_the_answer() -> None:
    score = ocrbench("chart parsing en").score(repr(CHART), ["a bar chart"])
    assert (score.value, score.flag) == (None, "invalid_reference")


def test_a_list_that_is_written_as_one_text_is_a_list() -> None:
    assert ocrbench("text recognition en").score("0.28", ["['0.28']"]).value == 1.0
    assert ocrbench("formula recognition en").score("1", ["[1, 2]"]).value == 0.0


def test_another_number_that_holds_the_digits_is_not_the_count() -> None:
    near = ocrbench("text counting en", eval="regression")
    assert near.score("I counted 17 items", ["7"]).value == 0.0
    assert near.score("8", ["10"]).value == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("kind", "metadata"),
    [("", {}), ("no such type en", {}), ("math QA en", {"eval": "by ear"}), ("text counting en", {})],
)
def test_a_question_without_a_rule_is_left_out(kind: str, metadata: dict[str, str]) -> None:
    score = bound("ocrbench_v2", type=kind, **metadata).score("x", ["x"])
    assert (score.value, score.parts, score.flag) == (None, None, "unknown_type")


@pytest.mark.parametrize("without", ["without eval", "None", "", "nan"])
def test_no_evaluation_method_is_written_in_many_ways(without: str) -> None:
    assert ocrbench("math QA en", eval=without).score("it is 42", ["42"]).value == 1.0


def test_a_missing_answer_is_zero_even_where_any_answer_would_be_right() -> None:
    metric = ocrbench("text recognition en")
    assert metric.score("", [""]).value == 1.0
    assert metric.missing([""]).value == 0.0
    assert ocrbench("text translation cn").missing([""]).flag == "empty_reference"


def test_positions_without_boxes_in_the_metadata_are_the_benchmarks_fault() -> None:
    assert ocrbench("VQA with position en").score("x", ["x"]).flag == "invalid_reference"
    assert (
        ocrbench("text spotting en", bbox="[[0,0]]", content="7").score("x", []).flag == "invalid_reference"
    )


@pytest.mark.parametrize(
    "answer", ["a b " * 20_000, "{" * 20_000, "(" * 20_000, "[1," * 20_000, "'" * 20_000]
)
def test_hostile_answers_cost_no_time(answer: str) -> None:
    started = time.monotonic()
    answered_fields(answer)
    for kind in ("key information extraction en", "chart parsing en"):
        ocrbench(kind).score(answer, ['{"a": "x"}'])
    ocrbench("text spotting en", bbox="[[0,0,9,9]]", content='["x"]').score(answer, [])
    ocrbench("text grounding en").score(answer, ["[1, 2, 3, 4]"])
    assert time.monotonic() - started < 20


def test_documents_nest_as_deep_as_they_like() -> None:
    lines = "\n".join(f"# t{number}\nt{number + 1}" for number in range(600))
    assert ocrbench("document parsing en").score(lines, [lines]).value == 1.0


def test_f1_of_answers_counts_who_answers() -> None:
    """2 right of 2 answerable ones, and one reply that should have been none: 2·2 / (2 + 3)."""
    metric = bound("mmlongbench_f1", answer_format="Str")
    scores = [
        metric.score("paris", ["Paris"]),
        metric.score("rome", ["Rome"]),
        metric.score("oslo", ["Not answerable"]),
        metric.score("Not answerable", ["Not answerable"]),
    ]
    assert aggregate(metric, scores) == pytest.approx(4 / 5)


def test_the_format_decides() -> None:
    assert bound("mmlongbench", answer_format="Int").score("12.0", ["12"]).value == 1.0
    assert bound("mmlongbench", answer_format="Str").score("12.0", ["12"]).value == 0.0
    assert bound("mmlongbench", answer_format="Int").score("1", ["about one"]).flag == "invalid_reference"
    assert bound("mmlongbench").score("12", ["12"]).flag == "unknown_type"


def test_cc_ocr_traps() -> None:
    metric, gold = get_metric("cc_ocr_kie"), ['{"a": "100.00"}']
    assert metric.score('```json\n{"a": "100.00"}', gold).flag == "invalid_json"
    assert metric.score('{"a": 100.00}', gold).value == 0.0
    assert metric.score('{"a": "１００.００"}', gold).value == pytest.approx(1.0, abs=1e-5)
    assert get_metric("kie_f1").score('{"a": 100.00}', gold).value == 1.0


def test_tests_are_pooled_over_pages_and_a_missing_page_passes_none() -> None:
    metric = get_metric("olmocr_tests")
    absent = {"type": "absent", "text": "Page 3 of 9"}
    one, three = (
        json.dumps([absent]),
        json.dumps([absent, {"type": "present", "text": "tea"}, {"type": "baseline"}]),
    )
    assert metric.score("null", [one]).value == 1.0
    assert metric.missing([one]).value == 0.0
    assert aggregate(metric, [metric.score("tea", [one]), metric.missing([three])]) == pytest.approx(1 / 4)


def test_tests_of_an_unknown_kind_are_flagged_and_a_broken_one_spoils_the_page() -> None:
    metric = get_metric("olmocr_tests")
    mixed = metric.score("tea", ['[{"type": "present", "text": "tea"}, {"type": "footnote"}]'])
    assert (mixed.value, mixed.parts, mixed.flag) == (1.0, (1.0, 1.0), "unknown_type")
    assert metric.score("tea", ['[{"type": "present"}]']).flag == "invalid_reference"


@pytest.mark.parametrize(
    ("pattern", "edits", "starts"),
    [("abc", 0, [0, 6]), ("abc", 1, [0, 6]), ("abd", 1, [0, 6]), ("xyz", 1, []), ("bcx", 1, [1, 7])],
)
def test_near_matches_tell_where_they_begin(pattern: str, edits: int, starts: list[int]) -> None:
    assert [match.start for match in find_near(pattern, "abc---abc", max_edits=edits)] == starts


def test_near_search_of_a_long_page_is_quick() -> None:
    started = time.monotonic()
    find_near("some words that are looked for " * 10, "other text of the page " * 5_000, max_edits=20)
    assert time.monotonic() - started < 10


def test_invented_text_costs_and_a_header_does_not() -> None:
    metric, gold = get_metric("omnidoc_text"), page(TEXT, header="Journal of Animals")
    assert metric.score(TEXT, [gold]).value == 0.0
    assert metric.score(f"Journal of Animals\n\n{TEXT}", [gold]).value == 0.0
    invented = metric.score(f"{TEXT}\n\nSomething that nobody wrote on this page.", [gold]).value
    assert invented is not None
    assert invented > 0.3


def test_blocks_that_are_cut_elsewhere_are_the_same_text() -> None:
    metric, other = get_metric("omnidoc_text"), "Dogs bark at night and dig deep in gardens all day."
    assert metric.score(TEXT.replace("people. They", "people.\n\nThey"), [page(TEXT)]).value == 0.0
    assert metric.score(f"{TEXT} {other}", [page(TEXT, other)]).value == 0.0


def test_reading_order_is_of_blocks() -> None:
    texts = [f"Paragraph {number} is about {name * 9}." for number, name in enumerate("abcd")]
    metric = get_metric("omnidoc_order")
    assert metric.score("\n\n".join(texts), [page(*texts)]).value == 0.0
    assert metric.score("\n\n".join([texts[1], texts[0], *texts[2:]]), [page(*texts)]).value == 0.5
    assert metric.missing([page(*texts)]).value == 1.0


def test_a_page_without_the_element_is_left_out() -> None:
    for name in ("omnidoc_table", "omnidoc_formula"):
        score = get_metric(name).score(TABLE, [page(TEXT)])
        assert (score.value, score.flag) == (None, "empty_reference")
    assert get_metric("omnidoc_text").score(TEXT, ["{}"]).flag == "invalid_reference"


def test_tables_count_one_by_one() -> None:
    elements = [
        {"category_type": "table", "order": 1, "anno_id": number, "html": TABLE} for number in range(3)
    ]
    three = json.dumps({"layout_dets": elements[:3]})
    one = json.dumps({"layout_dets": elements[:1]})
    metric = get_metric("omnidoc_table")
    scores = [metric.score(TABLE, [three]), metric.score(TABLE.replace("td", "th"), [one])]
    assert aggregate(metric, scores) == pytest.approx(2 / 4)
