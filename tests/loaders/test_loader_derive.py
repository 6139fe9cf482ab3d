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
