"""The question types of OCRBench v2, and the language and category that each one is averaged in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a type stands in the benchmark's nested average: OVERALL = mean of languages of means of categories."""

    language: str
    category: str


_BY_CATEGORY: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("en", "text_recognition"): ("text recognition", "fine-grained text recognition", "full-page OCR"),
    ("en", "text_detection"): ("text grounding", "VQA with position"),
    ("en", "text_spotting"): ("text spotting",),
    ("en", "relationship_extraction"): ("key information extraction", "key information mapping"),
    ("en", "element_parsing"): (
        "document parsing",
        "chart parsing",
        "table parsing",
        "formula recognition",
    ),
    ("en", "mathematical_calculation"): ("math QA", "text counting"),
    ("en", "visual_text_understanding"): ("document classification", "cognition VQA", "diagram QA"),
    ("en", "knowledge_reasoning"): (
        "reasoning VQA",
        "science QA",
        "APP agent",
        "ASCII art classification",
    ),
    ("cn", "text_recognition"): ("full-page OCR",),
    ("cn", "relationship_extraction"): ("key information extraction", "handwritten answer extraction"),
    ("cn", "element_parsing"): ("document parsing", "table parsing", "formula recognition"),
    ("cn", "visual_text_understanding"): ("cognition VQA",),
    ("cn", "knowledge_reasoning"): ("reasoning VQA", "text translation"),
}

TYPES: Mapping[str, Place] = {
    f"{name} {language}": Place(language=language, category=category)
    for (language, category), names in _BY_CATEGORY.items()
    for name in names
}
_BY_KEY = {name.casefold(): name for name in TYPES}


def official_name(written: str) -> str | None:
    """The type as the official files spell it, found in any case and spacing; None for no such type."""
    return _BY_KEY.get(" ".join(written.split()).casefold())
