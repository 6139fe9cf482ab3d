"""Which tasks packaged models take, and what the prototype's words for tasks mean."""

from __future__ import annotations

import pytest
from vlmhb.cards import load_registry, task_type_of
from vlmhb.cards.registry import has_task
from vlmhb.cards.tasks import ALL_TASKS
from vlmhb.contracts import BenchmarkCard

ENGINES = {"rapidocr", "tesseract"}


def test_ocr_engines_take_ocr_alone_and_whoever_answers_questions_everything() -> None:
    for card in load_registry().models:
        if card.interface in ENGINES:
            assert card.tasks == ("ocr",), card.name
        elif card.image is None:  # behind a URL, or answers from a file: nobody knows what it can do
            assert card.tasks == ALL_TASKS, card.name


def test_models_made_for_documents_take_no_questions() -> None:
    found = {card.name: card.tasks for card in load_registry().models if card.prompts}
    assert "olmOCR-2-7B-1025" in found
    assert not any("vqa" in tasks or "kie" in tasks for tasks in found.values())


@pytest.mark.parametrize(
    ("word", "task"),
    [
        ("VQA", "vqa"),
        (" RPOClassification ", "classification"),
        ("rposorting", "sorting"),
        ("Tables", "tables"),
        ("weighing", None),
    ],
)
def test_words_for_tasks(word: str, task: str | None) -> None:
    assert task_type_of(word) == task


def test_a_benchmark_is_found_by_its_own_word_or_by_what_the_word_means() -> None:
    card = BenchmarkCard(name="b", task="Pages", task_type="sorting", loader="rpo")
    assert [
        has_task(card, word) for word in ("pages", "sorting", "RPOSorting", "RPOClassification", "x")
    ] == [
        True,
        True,
        True,
        False,
        False,
    ]
