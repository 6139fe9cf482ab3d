"""Metadata that a benchmark's averages need are worked out, and never at the cost of what the file says."""

from __future__ import annotations

import pytest
from vlmhb_benchmarks.loaders.base import LoaderError
from vlmhb_benchmarks.loaders.derive import derive_metadata


@pytest.mark.parametrize("column", ["type", "category", "question_type"])
def test_the_type_is_found_in_any_of_its_columns(column: str) -> None:
    derived = derive_metadata("ocrbench_v2", {column: "full-page ocr CN", "eval": "x"})
    assert derived["type"] == "full-page OCR cn"
    assert (derived["language"], derived["category"], derived["eval"]) == ("cn", "text_recognition", "x")


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("chart parsing en", "element_parsing"),
        ("text grounding en", "text_detection"),
        ("text translation cn", "knowledge_reasoning"),
        ("handwritten answer extraction cn", "relationship_extraction"),
    ],
)
def test_categories_are_those_of_the_official_average(kind: str, category: str) -> None:
    assert derive_metadata("ocrbench_v2", {"type": kind})["category"] == category


def test_a_row_that_cannot_be_placed_comes_back_as_it_is() -> None:
    assert derive_metadata("ocrbench_v2", {"category": "new in v3"}) == {"category": "new in v3"}


def test_an_unknown_derivation_is_told_with_the_known_ones() -> None:
    with pytest.raises(LoaderError) as caught:
        derive_metadata("ocrbench_v9", {})
    assert "ocrbench_v2" in caught.value.hint


def test_hallusionbench_pairs_join_the_figure_as_found_and_the_edited_one() -> None:
    found = derive_metadata("hallusionbench", {"index": "VS_chart_1_0_1_0"})
    edited = derive_metadata("hallusionbench", {"index": "VS_chart_2_0_2_0"})
    assert found["pair"] == edited["pair"] == "VS_chart_0_q0"
    assert (found["figure"], edited["figure"]) == ("VS_chart_0_1", "VS_chart_0_2")
    assert derive_metadata("hallusionbench", {"index": "7"}) == {"index": "7"}


def test_mmbench_circle_and_olmocr_category() -> None:
    circles = [
        derive_metadata("mmbench", {"index": index})["circle"] for index in ("241", "1000241", "3000241")
    ]
    assert circles == ["241"] * 3
    assert derive_metadata("mmbench", {"index": "a"}) == {"index": "a"}
    assert derive_metadata("olmocr_bench", {"pdf": "old_scans/1.pdf"})["category"] == "old_scans"
    assert derive_metadata("olmocr_bench", {"pdf": "1.pdf"}) == {"pdf": "1.pdf"}
