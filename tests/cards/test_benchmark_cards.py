"""Every benchmark card: complete; its loader, extraction and metrics work on a miniature of the real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from miniatures import MINIATURES
from vlmhb.cards import load_registry
from vlmhb.contracts import BenchmarkCard
from vlmhb_benchmarks.extraction import get_extraction
from vlmhb_benchmarks.loaders import RawSample, load
from vlmhb_benchmarks.metrics import Metric, get_metric
from vlmhb_benchmarks.metrics.base import Context, ContextMetric, FittedMetric

CARDS = {card.name: card for card in load_registry().benchmarks}
# Elsewhere the answer is a word or number that the question itself may hold.
OPEN_ANSWERS = [
    card.name
    for card in CARDS.values()
    if card.task_type not in ("classification", "sorting") and card.loader != "annotation"
]
SHIPPED = Path(__file__).parents[2] / "user_configs"
# What the readers look for by name, whatever else is there.
FIELD = [
    "docvqa",
    "infographicvqa",
    "mp_docvqa",
    "slidevqa",
    "dude",
    "chartqa",
    "textvqa",
    "st_vqa",
    "ocr_vqa",
    "ai2d",
    "ocrbench",
    "ocrbench_v2",
    "cc_ocr_kie",
    "cc_ocr_doc_parsing",
    "cc_ocr_multi_lan_ocr",
    "cc_ocr_multi_scene_ocr",
    "omnidocbench",
    "olmocr_bench",
    "sroie",
    "cord",
    "funsd",
    "xfund",
    "kleister_nda",
    "kleister_charity",
    "wildreceipt",
    "poie",
    "ephoie",
    "deepform",
    "pubtabnet",
    "fintabnet",
    "iam",
    "mmmu",
    "mmbench",
    "mathvista",
    "pope",
    "hallusionbench",
    "demo_mini",
    "snils",
    "rpo_classification",
    "rpo_sorting",
    "kie_fields",
    "invoices",
]
# A right answer in the form in which a model gives it, where that is not the reference itself.
RIGHT = {
    "omnidocbench": "One line of text",
    "olmocr_bench": "One line of text",
    "doc_classification": "0",
    "hallusionbench": "Yes.",
    "ai2d": "(B) two",
    "mmmu": "The answer is (B).",
    "mathvista": "The answer is 7.",
}


def samples_of(card: BenchmarkCard, root: Path) -> list[RawSample]:
    MINIATURES[card.name](root)
    place = SHIPPED / str(card.path) if card.name.startswith("docs_mini") else root
    return list(load(card.loader, place, card.params))


def bound(metric: Metric, sample: RawSample, *, samples: list[RawSample]) -> Metric:
    if isinstance(metric, FittedMetric):
        metric = metric.fit([item.references for item in samples])
    return metric.in_context(context(sample)) if isinstance(metric, ContextMetric) else metric


def context(sample: RawSample) -> Context:
    return Context(
        metadata={**sample.metadata, **sample.label_metadata},
        choices=sample.choices or (),
        response_schema=sample.response_schema,
        question=sample.question,
    )


@pytest.mark.parametrize("name", FIELD)
def test_the_benchmarks_of_the_field_have_a_card(name: str) -> None:
    assert name in CARDS


@pytest.mark.parametrize("name", CARDS)
def test_a_card_says_all_that_a_user_must_know(name: str) -> None:
    card = CARDS[name]
    told = (card.description, card.licence, card.source, card.languages, card.metrics, card.primary)
    assert all(told)
    assert card.primary in card.metrics
    if not name.startswith(("docs_mini", "sroie")):
        assert card.revision and card.labels and card.obtain
        assert card.prompt or card.template or card.loader in ("annotation", "rpo", "kie_folder") or name.startswith(
            ("ocrbench", "cc_ocr", "mathvista")
        )  # fmt: skip


@pytest.mark.parametrize("name", CARDS)
def test_its_miniature_loads_whole_and_asks_something(name: str, tmp_path: Path) -> None:
    card = CARDS[name]
    samples = samples_of(card, tmp_path)
    assert samples
    for sample in samples:
        assert sample.problem is None
        assert sample.references
        assert sample.images
        assert sample.question or card.prompt
    assert len({sample.sample_id for sample in samples}) == len(samples)


@pytest.mark.parametrize("name", CARDS)
def test_a_right_answer_scores_best_and_nonsense_does_not(name: str, tmp_path: Path) -> None:
    card = CARDS[name]
    samples = samples_of(card, tmp_path)
    sample = samples[0]
    rule = get_extraction(card.extraction).rule
    right = rule(RIGHT.get(name, sample.references[0]), context(sample)).text
    wrong = rule("zzz qqq", context(sample)).text
    for metric in (bound(get_metric(metric), sample, samples=samples) for metric in card.metrics):
        good, bad = metric.score(right, sample.references), metric.score(wrong, sample.references)
        if good.value is None:  # of a page without tables, the table metric is undefined
            assert metric.info.name in ("omnidoc_table", "omnidoc_formula", "structural_fidelity")
            continue
        best = 0.0 if metric.info.direction == "lower" else metric.info.highest
        if metric.info.average != "corpus":
            assert good.value == pytest.approx(best), metric.info.name
        assert bad.value is None or bad.value != good.value or metric.info.name == "omnidoc_order"


@pytest.mark.parametrize("name", CARDS)
def test_slices_and_averages_name_metadata_that_the_files_have(name: str, tmp_path: Path) -> None:
    card = CARDS[name]
    sample = samples_of(card, tmp_path)[0]
    known = {**sample.metadata, **sample.label_metadata}
    averages = [card.headline, *card.averages]
    keys = {key for average in averages if average for key in average.partition(":")[2].split("/")}
    for key in {*card.slices, *keys}:
        assert known.get(key), key


@pytest.mark.parametrize("name", OPEN_ANSWERS)
def test_no_reference_is_among_what_a_model_sees(name: str, tmp_path: Path) -> None:
    card = CARDS[name]
    for sample in samples_of(card, tmp_path):
        seen = json.dumps([sample.question, dict(sample.metadata)], ensure_ascii=False)
        for reference in sample.references:
            assert len(reference) < 4 or reference not in seen
